"""PDF rendering in a few worker processes: bounded in number, time, memory, and callers that wait."""

from __future__ import annotations

import asyncio
import sys
import tempfile
from asyncio.subprocess import DEVNULL, PIPE, Process
from collections.abc import AsyncGenerator, AsyncIterable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import orjson
import structlog

from bridge.errors import BridgeError, TooLarge, Unavailable
from bridge.texts import Text

logger = structlog.get_logger(__name__)

MODULE = "bridge.documents.worker"


@dataclass(frozen=True, slots=True)
class Bounds:
    """The bounds of rendering: processes, callers that wait, and for a booklet seconds and bytes of memory."""

    workers: int = 2
    waiting: int = 20
    seconds: float = 120.0
    memory: int = 2 * 2**30

    @property
    def longest(self) -> int:
        """Bytes of JSON that surely fit, whatever is in them."""
        return self.memory // 64


class Renderer:
    """The renderer of booklets from lines (see ``booklet``); ``close`` it at the end."""

    def __init__(self, bounds: Bounds) -> None:
        self._bounds = bounds
        self._turns = asyncio.Semaphore(bounds.workers)
        self._queue_length = 0
        self._idle: list[_Worker] = []
        self._fonts: tempfile.TemporaryDirectory[str] | None = None

    async def pdf(self, lines: AsyncIterable[Mapping[str, Any]], *, patient: bool = False) -> bytes:
        """Return the PDF of a booklet; its lines are asked for when a process is free, so that waiting holds nothing.

        Raises ``Unavailable`` when too many wait (never for a ``patient`` caller, who is in the middle of a stream) or
        it takes too long, ``TooLarge`` for more than one booklet can hold, and whatever reading the lines raises.
        """
        async with self._turn(patient=patient):
            worker = await self._worker()
            try:
                async with asyncio.timeout(self._bounds.seconds):
                    pdf = await worker.make(lines)
            except TimeoutError:
                raise Unavailable(
                    Text("The PDF took longer than {seconds} s; choose a shorter range.", seconds=self._bounds.seconds)
                ) from None
            finally:
                self._keep(worker)
            return pdf

    async def close(self) -> None:
        """End every process and remove the fonts."""
        for worker in self._idle:
            await worker.end()
        self._idle.clear()
        if self._fonts is not None:
            self._fonts.cleanup()

    @asynccontextmanager
    async def _turn(self, *, patient: bool) -> AsyncGenerator[None]:
        if self._turns.locked() and self._queue_length >= self._bounds.waiting and not patient:
            raise _busy()
        self._queue_length += 1
        try:
            async with asyncio.timeout(None if patient else self._bounds.seconds):
                await self._turns.acquire()
        except TimeoutError:
            raise _busy() from None
        finally:
            self._queue_length -= 1
        try:
            yield
        finally:
            self._turns.release()

    async def _worker(self) -> _Worker:
        if self._idle:
            return self._idle.pop()
        if self._fonts is None:
            self._fonts = tempfile.TemporaryDirectory(prefix="cpd-bridge-fonts-")
        bounds = self._bounds
        arguments = ("-m", MODULE, self._fonts.name, str(bounds.memory), str(bounds.longest))
        return _Worker(
            await asyncio.create_subprocess_exec(
                sys.executable, *arguments, stdin=PIPE, stdout=PIPE, stderr=DEVNULL, start_new_session=True
            )
        )

    def _keep(self, worker: _Worker) -> None:
        if worker.ready:
            self._idle.append(worker)
        else:
            worker.kill()


class _Worker:
    """One process; ``ready`` says that it is between two booklets."""

    def __init__(self, process: Process) -> None:
        self._process = process
        self.ready = True

    async def make(self, lines: AsyncIterable[Mapping[str, Any]]) -> bytes:
        """Send the lines as they come, return what they make; raises as ``Renderer.pdf`` does."""
        self.ready = False
        try:
            head, pdf = await self._exchange(lines)
        except (ConnectionError, asyncio.IncompleteReadError):
            await self._process.wait()
            logger.error(  # noqa: TRY400 - the traceback tells nothing of the process that died
                "booklet worker died", returncode=self._process.returncode
            )
            raise _too_large() from None
        self.ready = not head["full"]
        if "fault" in head:
            raise _refused(head["fault"])
        return pdf

    async def _exchange(self, lines: AsyncIterable[Mapping[str, Any]]) -> tuple[dict[str, Any], bytes]:
        stdin, stdout = self._process.stdin, self._process.stdout
        if stdin is None or stdout is None:
            raise ConnectionError
        async for line in lines:
            stdin.write(orjson.dumps(line))
            stdin.write(b"\n")
            await stdin.drain()
        stdin.write(b"\n")
        await stdin.drain()
        head = orjson.loads(await stdout.readuntil(b"\n"))
        return head, await stdout.readexactly(head.get("bytes", 0))

    def kill(self) -> None:
        """End it now; what it was making is lost."""
        if self._process.returncode is None:
            self._process.kill()

    async def end(self) -> None:
        """End it and wait until it has ended."""
        self.kill()
        await self._process.wait()


def _refused(fault: str) -> BridgeError:
    if fault in {"too_long", "MemoryError"}:
        return _too_large()
    logger.error("booklet failed", fault=fault)
    return BridgeError(Text("The PDF could not be made. The ZIP has the same data."))


def _busy() -> Unavailable:
    return Unavailable(Text("Many PDFs are being made just now; try again shortly."))


def _too_large() -> TooLarge:
    return TooLarge(
        Text("This is more than one PDF can hold: choose a shorter range, or take the ZIP, which has no limit.")
    )
