"""A small TCP proxy that cuts and stalls connections, so that faults of the network can be made on purpose."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, suppress


class Proxy:
    """Forwards from ``port`` on the loopback; ``cut`` breaks connections, ``down`` and ``stalled`` are for a while."""

    def __init__(self, host: str, port: int) -> None:
        self._target = (host, port)
        self._writers: set[asyncio.StreamWriter] = set()
        self._flowing = asyncio.Event()
        self._flowing.set()
        self._is_down = False
        self.port = 0

    def cut(self) -> None:
        """Break every open connection, with whatever is on its way."""
        for writer in self._writers:
            writer.transport.abort()

    @asynccontextmanager
    async def down(self) -> AsyncGenerator[None]:
        """Break every open connection, and every new one meanwhile."""
        self._is_down = True
        self.cut()
        try:
            yield
        finally:
            self._is_down = False

    @asynccontextmanager
    async def stalled(self) -> AsyncGenerator[None]:
        """Let nothing pass meanwhile; what is on its way waits."""
        self._flowing.clear()
        try:
            yield
        finally:
            self._flowing.set()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Forward one connection both ways until either side ends it."""
        if self._is_down:
            writer.transport.abort()
            return
        try:
            far_reader, far_writer = await asyncio.open_connection(*self._target)
        except OSError:
            writer.transport.abort()
            return
        writers = {writer, far_writer}
        self._writers |= writers
        try:
            await asyncio.gather(self._pump(reader, far_writer), self._pump(far_reader, writer))
        finally:
            self._writers -= writers
            for end in writers:
                end.transport.abort()

    async def _pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError):
            while data := await reader.read(65536):
                await self._flowing.wait()
                writer.write(data)
                await writer.drain()
        writer.transport.abort()


@asynccontextmanager
async def proxy(host: str, port: int) -> AsyncGenerator[Proxy]:
    """Run a proxy to ``host:port`` meanwhile."""
    tcp_proxy = Proxy(host, port)
    server = await asyncio.start_server(tcp_proxy.serve, "127.0.0.1", 0)
    tcp_proxy.port = server.sockets[0].getsockname()[1]
    try:
        yield tcp_proxy
    finally:
        server.close()
        tcp_proxy.cut()
