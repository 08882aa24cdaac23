"""A store that answers with errors: passes MongoDB's wire protocol on, and says no to the commands while told to."""

from __future__ import annotations

import asyncio
import struct
from collections.abc import AsyncGenerator, Generator
from contextlib import asynccontextmanager, contextmanager, suppress
from typing import Any, Literal

import bson

How = Literal["command", "write", "concern"]
"""Where an answer has its error: in place of the command's, for a row that was to be written, or for the majority."""

OP_MSG = 2013
_HANDSHAKES = {"hello", "ismaster", "isMaster", "ping", "endSessions"}
_WRITES = {"insert": "documents", "update": "updates", "delete": "deletes"}


class RefusingStore:
    """Forwards from ``port`` on the loopback to the real store; inside ``refusing`` every command is refused."""

    def __init__(self, host: str, port: int) -> None:
        self._target = (host, port)
        self._writers: set[asyncio.StreamWriter] = set()
        self._refusal: tuple[int, How] | None = None
        self.port = 0
        self.refusals = 0

    @contextmanager
    def refusing(self, code: int, how: How = "command") -> Generator[None]:
        """Refuse meanwhile, with an error code; handshakes and pings are answered, as with a full disk."""
        self._refusal = (code, how)
        try:
            yield
        finally:
            self._refusal = None

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serve one connection until either side ends it."""
        far_reader, far_writer = await asyncio.open_connection(*self._target)
        writers = {writer, far_writer}
        self._writers |= writers
        try:
            await asyncio.gather(self._commands(reader, writer, far_writer), self._answers(far_reader, writer))
        finally:
            self._writers -= writers
            for end in writers:
                end.transport.abort()

    def cut(self) -> None:
        """Break every open connection."""
        for writer in self._writers:
            writer.transport.abort()

    async def _commands(
        self, reader: asyncio.StreamReader, back: asyncio.StreamWriter, far: asyncio.StreamWriter
    ) -> None:
        with suppress(OSError, asyncio.IncompleteReadError):
            while True:
                head = await reader.readexactly(16)
                length, request, _, kind = struct.unpack("<iiii", head)
                body = await reader.readexactly(length - 16)
                answer = self._refused(body) if kind == OP_MSG else None
                target, data = (far, head + body) if answer is None else (back, _message(request, answer))
                target.write(data)
                await target.drain()
        far.transport.abort()

    async def _answers(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError):
            while data := await reader.read(65536):
                writer.write(data)
                await writer.drain()
        writer.transport.abort()

    def _refused(self, body: bytes) -> dict[str, Any] | None:
        text = body[5 : 5 + struct.unpack_from("<i", body, 5)[0]]
        command = bson.decode(text)  # pyright: ignore[reportUnknownMemberType] - its overloads
        name = next(iter(command))
        if self._refusal is None or name in _HANDSHAKES:
            return None
        self.refusals += 1
        code, how = self._refusal
        error = {"code": code, "errmsg": "planted: mongodb://admin:hunter2@store/"}
        if name in _WRITES and how == "write":
            return {"ok": 1.0, "n": 0, "nModified": 0, "writeErrors": [{"index": 0, **error}]}
        if name in _WRITES and how == "concern":
            return {"ok": 1.0, "n": 0, "nModified": 0, "writeConcernError": error}
        return {"ok": 0.0, **error}


def _message(answers: int, document: dict[str, Any]) -> bytes:
    body = struct.pack("<IB", 0, 0) + bson.encode(document)
    return struct.pack("<iiii", 16 + len(body), 0, answers, OP_MSG) + body


@asynccontextmanager
async def refusing_store(host: str, port: int) -> AsyncGenerator[RefusingStore]:
    """Run it before the store at ``host:port`` meanwhile."""
    refusing = RefusingStore(host, port)
    server = await asyncio.start_server(refusing.serve, "127.0.0.1", 0)
    refusing.port = server.sockets[0].getsockname()[1]
    try:
        yield refusing
    finally:
        server.close()
        refusing.cut()
