"""What a consumer has taken and not settled yet, as far as its age and its weight go."""

from __future__ import annotations

import asyncio
from collections import deque

from aio_pika.abc import AbstractIncomingMessage

from bridge.broker.publisher import published_at


class InFlight:
    """Batches in the order they were taken, which is the order they are settled in.

    AMQP shows nobody the head of a queue without giving it to them, so the age of the oldest message is that of the
    oldest in hand: what is still in the queue was published after it.
    """

    def __init__(self) -> None:
        self._batches: deque[tuple[float | None, int]] = deque()
        self._settled = asyncio.Event()

    def add(self, oldest: AbstractIncomingMessage, weight: int = 0) -> None:
        """Note a batch by its oldest message, and how many bytes of memory it takes."""
        self._batches.append((published_at(oldest), weight))

    def remove_oldest(self) -> None:
        """Note that the oldest batch is settled."""
        self._batches.popleft()
        self._settled.set()

    def clear(self) -> None:
        """Forget what was taken over a connection that is gone: it comes again."""
        self._batches.clear()
        self._settled.set()

    async def wait_for_room(self, weight: int, most: int) -> None:
        """Wait until so much more fits into ``most`` bytes, or nothing is in hand."""
        while self._batches and self.weight + weight > most:
            self._settled.clear()
            await self._settled.wait()

    @property
    def weight(self) -> int:
        """Bytes of memory that all in hand takes."""
        return sum(weight for _, weight in self._batches)

    @property
    def waits(self) -> bool:
        """Whether anything is in hand."""
        return bool(self._batches)

    @property
    def oldest_published_at(self) -> float | None:
        """When the oldest in hand was published, in seconds since 1970; None when it does not say, or there is none."""
        return self._batches[0][0] if self._batches else None
