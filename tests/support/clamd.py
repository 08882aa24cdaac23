"""A clamd that speaks INSTREAM on loopback and finds what a test tells it to; clamd itself is too large for a test."""

from __future__ import annotations

import asyncio
import struct
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Literal

VIRUS = b"an entirely harmless stand-in for a virus"

Mood = Literal["well", "stuck", "broken", "limited"]


@dataclass
class Clamd:
    """``mood``: well, stuck (never answers), broken (hangs up half-way), or limited (its size limit is reached)."""

    url: str = ""
    mood: Mood = "well"
    streams: list[bytes] = field(default_factory=list[bytes])
    request: asyncio.Event = field(default_factory=asyncio.Event)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer one INSTREAM."""
        with suppress(ConnectionError, asyncio.IncompleteReadError):
            writer.write(await self._answer(reader))
            await writer.drain()
        writer.close()

    async def _answer(self, reader: asyncio.StreamReader) -> bytes:
        assert await reader.readuntil(b"\0") == b"zINSTREAM\0"
        self.request.set()
        if self.mood == "stuck":
            await reader.read()  # ends when the client gives up
        if self.mood == "broken":
            return b""
        if self.mood == "limited":
            return b"INSTREAM size limit exceeded. ERROR\0"
        self.streams.append(await _stream(reader))
        return b"stream: Test-Signature FOUND\0" if VIRUS in self.streams[-1] else b"stream: OK\0"


async def _stream(reader: asyncio.StreamReader) -> bytes:
    content = b""
    while length := struct.unpack("!I", await reader.readexactly(4))[0]:
        content += await reader.readexactly(length)
    return content


@asynccontextmanager
async def clamd(path: str | None = None) -> AsyncGenerator[Clamd]:
    """Run one on a free port of 127.0.0.1, or on a Unix socket."""
    scanner = Clamd()
    if path:
        server, scanner.url = await asyncio.start_unix_server(scanner.serve, path), f"unix://{path}"
    else:
        server = await asyncio.start_server(scanner.serve, "127.0.0.1", 0)
        scanner.url = f"tcp://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    async with server:
        yield scanner
