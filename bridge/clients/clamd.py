"""Asks clamd whether a file holds something harmful: its INSTREAM command, over TCP or a Unix socket (clamd(8)).

The content goes in pieces, each after its length in four bytes, with a length of zero at the end.
"""

from __future__ import annotations

import asyncio
import re
import struct
from collections.abc import AsyncIterable
from typing import Final
from urllib.parse import urlsplit

from bridge.errors import Unavailable
from bridge.texts import Text

_FINDING = re.compile(rb"stream: (.+) FOUND\0")
_CLEAN: Final = b"stream: OK\0"


class Scanner:
    """One clamd, at ``tcp://host:port`` or ``unix:///path``; ``timeout`` is in seconds, for a whole file."""

    def __init__(self, url: str, timeout: float) -> None:
        self._url = urlsplit(url)
        self._timeout = timeout

    async def scan(self, content: AsyncIterable[bytes]) -> str | None:
        """Return what was found, or None for a clean file; raises ``Unavailable`` when there is no verdict."""
        try:
            async with asyncio.timeout(self._timeout):
                return _verdict(await self._ask(content))
        except (OSError, EOFError, TimeoutError, asyncio.LimitOverrunError) as error:
            raise Unavailable(Text("The virus scanner does not answer.")) from error

    async def _ask(self, content: AsyncIterable[bytes]) -> bytes:
        reader, writer = await self._connect()
        try:
            writer.write(b"zINSTREAM\0")
            async for data in content:
                writer.write(struct.pack("!I", len(data)) + data)
                await writer.drain()
            writer.write(struct.pack("!I", 0))
            await writer.drain()
            return await reader.readuntil(b"\0")
        finally:
            writer.close()

    async def _connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        if self._url.scheme == "unix":
            return await asyncio.open_unix_connection(self._url.path)
        return await asyncio.open_connection(self._url.hostname, self._url.port)


def _verdict(answer: bytes) -> str | None:
    match = _FINDING.fullmatch(answer)
    if match:
        return match[1].decode("ascii", "replace")
    if answer != _CLEAN:
        raise Unavailable(Text("The virus scanner gave no verdict."))
    return None
