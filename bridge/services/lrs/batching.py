"""Single statements of requests that come at once are stored together: one write and one look for them all."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Generic, TypeVar

T = TypeVar("T")
R = TypeVar("R")

AT_ONCE = 100
"""Items that are worked on together, at most."""


class Gathering(Generic[T, R]):
    """Runs ``work`` on what has come meanwhile, one lot after another; nobody waits for a lot to fill."""

    def __init__(self, work: Callable[[Sequence[T]], Awaitable[Sequence[R]]]) -> None:
        self._work = work
        self._waiting: list[tuple[T, asyncio.Future[R]]] = []
        self._running: asyncio.Task[None] | None = None

    async def do(self, item: T) -> R:
        """Return what ``work`` makes of the item; raises what it raises, for each of the lot."""
        future: asyncio.Future[R] = asyncio.get_running_loop().create_future()
        self._waiting.append((item, future))
        if self._running is None:
            self._running = asyncio.create_task(self._run())
        return await future

    async def _run(self) -> None:
        try:
            while self._waiting:
                lot, self._waiting = self._waiting[:AT_ONCE], self._waiting[AT_ONCE:]
                await self._run_lot(lot)
        finally:
            self._running = None

    async def _run_lot(self, lot: Sequence[tuple[T, asyncio.Future[R]]]) -> None:
        try:
            results = await self._work([item for item, _ in lot])
        except Exception as error:  # each of them is told, and answers for itself
            for _, future in lot:
                if not future.done():
                    future.set_exception(error)
            return
        for (_, future), result in zip(lot, results, strict=True):
            if not future.done():  # its request was cancelled
                future.set_result(result)
