"""Growing pauses between tries, cut short when there is no more reason to wait."""

from __future__ import annotations

import asyncio
import random
from contextlib import suppress


class Backoff:
    """Pauses that double from ``first`` to ``longest`` seconds, each shortened at random so that workers spread."""

    def __init__(self, first: float = 0.2, longest: float = 5.0) -> None:
        self._first = self._next = first
        self._longest = longest

    def reset(self) -> None:
        """Begin again with the shortest pause."""
        self._next = self._first

    async def wait(self, cut_short: asyncio.Event | None = None) -> None:
        """Wait for the next pause, or until ``cut_short`` is set."""
        pause = self._next * random.uniform(0.5, 1.0)  # nosec B311 - spreads load, guards nothing
        self._next = min(self._next * 2, self._longest)
        with suppress(TimeoutError):
            async with asyncio.timeout(pause):
                await (cut_short or asyncio.Event()).wait()
