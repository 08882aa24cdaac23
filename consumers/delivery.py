"""Taking messages in batches and settling them: the only place that acknowledges."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime

import structlog
from aio_pika.abc import AbstractChannel, AbstractIncomingMessage, AbstractQueue

from bridge import metrics
from bridge.broker.publisher import Publisher, published_at
from bridge.broker.topology import Topology
from consumers.completions import Delivery

log = structlog.get_logger(__name__)

IN_HAND = 64 * 2**20
"""Bytes of messages that an inbox aims to have delivered and not acknowledged."""

AT_FIRST, AT_LEAST = 100, 4
"""Messages asked for before their size is known, and however large they are."""


class Inbox:
    """What the broker has delivered and nobody has worked on yet.

    AMQP counts messages, not bytes, so the number asked for follows the size of what comes: ``most`` of small ones,
    a few of large ones. Small messages followed at once by large ones can still exceed ``IN_HAND``, once.
    """

    def __init__(self, channel: AbstractChannel, queue: AbstractQueue, most: int) -> None:
        self._channel = channel
        self._queue = queue
        self._most = most
        self._asked = 0
        self._messages: asyncio.Queue[AbstractIncomingMessage] = asyncio.Queue()
        self._tag: str | None = None

    async def open(self) -> None:
        """Begin to take messages."""
        await self._ask(min(AT_FIRST, self._most))

    async def close(self) -> None:
        """Stop taking messages; those delivered stay, to be worked on."""
        if self._tag is not None:
            tag, self._tag = self._tag, None
            await self._queue.cancel(tag)

    async def batch(self, size: int, weight_limit: int) -> list[AbstractIncomingMessage]:
        """Wait for a message, then take what has arrived by now, up to ``size`` messages or ``weight_limit`` bytes."""
        taken = [await self._messages.get()]
        weight = len(taken[0].body)
        while len(taken) < size and weight < weight_limit and not self._messages.empty():
            taken.append(self._messages.get_nowait())
            weight += len(taken[-1].body)
        await self._fit(weight // len(taken))
        return taken

    async def _fit(self, weight: int) -> None:
        """Ask for more or fewer when messages of this size make a difference of two and more."""
        wanted = max(AT_LEAST, min(self._most, IN_HAND // max(weight, 1)))
        if self._tag is not None and not self._asked / 2 < wanted < self._asked * 2:
            await self.close()
            await self._ask(wanted)

    async def _ask(self, count: int) -> None:
        await self._channel.set_qos(prefetch_count=count)  # holds for consumers that start after it
        self._asked = count
        self._tag = await self._queue.consume(self._messages.put)


async def settle(deliveries: Sequence[Delivery], publisher: Publisher, topology: Topology) -> None:
    """Settle deliveries whose outcomes are durable: first the dead letters, confirmed, then one acknowledgement.

    The deliveries are in the order of their tags with nothing open before them, so the last one's acknowledgement
    covers all. Raises ``Unavailable``, and then the messages come again.
    """
    now = datetime.now(UTC)
    letters = [letter.outgoing(topology) for delivery in deliveries for letter in delivery.dead_letters(now)]
    if letters:
        await publisher.publish(letters)
    await deliveries[-1].message.ack(multiple=True)


def report(deliveries: Sequence[Delivery]) -> None:
    """Count each settled statement and say its outcome, at debug level, in the log; ids and states only."""
    counts: Counter[tuple[str, str]] = Counter()
    for delivery in deliveries:
        for piece in delivery.pieces:
            assert piece.outcome is not None
            reason = piece.outcome.reason.value if piece.outcome.reason else None
            counts[piece.outcome.disposition.value, reason or ""] += 1
            log.debug(
                "statement settled",
                statement_id=piece.arrival.statement_id if piece.arrival else None,
                disposition=piece.outcome.disposition.value,
                reason=reason,
                entry_id=piece.outcome.entry_id,
                correlation_id=delivery.origin.correlation_id,
            )
    metrics.settled(counts, published_at(deliveries[0].message), time.time())
