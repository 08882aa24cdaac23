"""What a consumer has taken and not settled yet, as far as its age goes."""

from __future__ import annotations

from collections import deque

from aio_pika.abc import AbstractIncomingMessage

from bridge.broker.publisher import published_at


class InHand:
    """Batches in the order they were taken, which is the order they are settled in.

    AMQP shows nobody the head of a queue without giving it to them, so the age of the oldest message is that of the
    oldest in hand: what is still in the queue was published after it.
    """

    def __init__(self) -> None:
        self._batches: deque[float | None] = deque()

    def take(self, oldest: AbstractIncomingMessage) -> None:
        """Note a batch by its oldest message."""
        self._batches.append(published_at(oldest))

    def settle(self) -> None:
        """Note that the oldest batch is settled."""
        self._batches.popleft()

    def clear(self) -> None:
        """Forget what was taken over a connection that is gone: it comes again."""
        self._batches.clear()

    @property
    def waits(self) -> bool:
        """Whether anything is in hand."""
        return bool(self._batches)

    @property
    def since(self) -> float | None:
        """When the oldest in hand was published, in seconds since 1970; None when it does not say, or there is none."""
        return self._batches[0] if self._batches else None
