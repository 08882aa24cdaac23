"""A share for each subject of what is costly, so that one caller does not take it all."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

from bridge.deadlines import deadline
from bridge.errors import RateLimited
from bridge.texts import Text

RETRY_AFTER = 10  # seconds

_TOO_LONG = Text("Waiting for your other exports took longer than {seconds} s; try again.")


class SubjectLimit:
    """At most ``each`` turns of one subject at once; ``waiting`` more of its calls wait, up to ``seconds``."""

    def __init__(self, most: int, waiting: int = 0, seconds: float | None = None) -> None:
        self._limit = most
        self._queue_limit = waiting
        self._seconds = seconds
        self._turns: dict[str, asyncio.Semaphore] = {}
        self._callers: Counter[str] = Counter()

    @asynccontextmanager
    async def turn(self, subject: str) -> AsyncGenerator[None]:
        """Hold a turn; raises ``RateLimited`` when too many wait, and ``Unavailable`` when that takes too long."""
        if self._callers[subject] >= self._limit + self._queue_limit:
            raise RateLimited(
                Text("{n} of your exports are under way; let one end, then try again.", n=self._limit),
                retry_after=RETRY_AFTER,
            )
        self._callers[subject] += 1
        turns = self._turns.setdefault(subject, asyncio.Semaphore(self._limit))
        try:
            async with deadline(self._seconds, _TOO_LONG):
                await turns.acquire()
            try:
                yield
            finally:
                turns.release()
        finally:
            self._callers[subject] -= 1
            if not self._callers[subject]:
                del self._callers[subject], self._turns[subject]
