"""ZIP archives as a stream: nothing is held but the piece in hand, however long they get."""

from __future__ import annotations

import asyncio
import re
import unicodedata
from collections.abc import AsyncGenerator, AsyncIterator
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final, TypeVar

if TYPE_CHECKING:
    from stream_zip import AsyncMemberFile

T = TypeVar("T")

MODE: Final = 0o100600
"""A plain file that its owner alone can read."""

UNKNOWN_SIZE: Final = 2**31
"""Assumed of a member whose size is not known: below 4 GiB, so that every program can unpack it."""

COMPRESSION: Final = 6
LONGEST_NAME: Final = 120
LONGEST_ENDING: Final = 20
DEVICE: Final = re.compile(r"(con|prn|aux|nul|(com|lpt)[0-9¹²³]) *(\..*)?", re.IGNORECASE)
"""Names that Windows takes for a device."""


@dataclass(frozen=True, slots=True)
class ArchiveFile:
    """A file in an archive; ``packed`` says that its content would not get smaller; ``size`` in bytes, where known."""

    name: str
    content: AsyncGenerator[bytes]
    packed: bool = False
    size: int = UNKNOWN_SIZE


async def archive(members: AsyncGenerator[ArchiveFile], at: datetime) -> AsyncGenerator[bytes]:
    """Give a ZIP of the members as they come, dated ``at``; what reading one raises breaks the archive off.

    Closing this, as when a client has gone, closes the members and the content in hand.
    """
    from stream_zip import ZIP_AUTO, async_stream_zip  # noqa: PLC0415 - with ciphers of its own, 0.1 s to load

    source_list = _Source(members)
    sources: list[_Source[Any]] = [source_list]

    async def files() -> AsyncGenerator[AsyncMemberFile]:
        async for member in source_list:
            method = ZIP_AUTO(member.size, level=0 if member.packed else COMPRESSION)
            content = _Source(member.content)
            sources[1:] = [content]
            yield member.name, at, MODE, method, content

    try:
        async for piece in async_stream_zip(files()):
            yield piece
    finally:
        for source in reversed(sources):
            await source.close()


class _Source(AsyncIterator[T]):
    """A generator that can be closed from elsewhere: the ZIP is made in a thread, which may be waiting for it."""

    def __init__(self, generator: AsyncGenerator[T]) -> None:
        self._generator = generator
        self._lock = asyncio.Lock()

    async def __anext__(self) -> T:
        async with self._lock:
            return await anext(self._generator)

    async def close(self) -> None:
        """Wait for a step that is under way, then end it."""
        async with self._lock:
            await self._generator.aclose()


async def whole(content: bytes) -> AsyncGenerator[bytes]:
    """Give what is in memory already as the content of a member."""
    yield content


def safe_name(name: str) -> str:
    """Return a file's name without anything that a system, an unpacker or a shell could take amiss.

    Letters of any script stay. Paths, control and bidirectional characters, and leading dots go.
    """
    plain = unicodedata.normalize("NFC", name)
    safe = "".join(c if c.isalnum() or unicodedata.category(c).startswith("M") or c in " ._-()" else "_" for c in plain)
    stem, dot, ending = safe.strip(" ._").rpartition(".")
    room = LONGEST_NAME - LONGEST_ENDING - len(dot)
    short = (f"{stem[:room]}{dot}{ending[:LONGEST_ENDING]}" if stem else ending[:LONGEST_NAME]).rstrip(" .")
    return f"_{short}" if DEVICE.fullmatch(short) else short or "file"
