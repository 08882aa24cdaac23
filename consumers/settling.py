"""Settling messages in batches: the only place that acknowledges statements."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime

import structlog

from bridge import metrics
from bridge.broker.publisher import Publisher, published_at
from bridge.broker.topology import Topology
from consumers.completions import Delivery

log = structlog.get_logger(__name__)


async def settle(deliveries: Sequence[Delivery], publisher: Publisher, topology: Topology, *, together: bool) -> None:
    """Settle deliveries whose outcomes are durable: first the dead letters, confirmed, then the acknowledgement.

    ``together``: they are in the order of their tags with nothing open before them, so that the last one's
    acknowledgement covers all. Raises ``Unavailable``, and then the messages come again.
    """
    now = datetime.now(UTC)
    letters = [letter.outgoing(topology) for delivery in deliveries for letter in delivery.dead_letters(now)]
    if letters:
        await publisher.publish(letters)
    if together:
        await deliveries[-1].message.ack(multiple=True)
        return
    for delivery in deliveries:
        await delivery.message.ack()


def report(deliveries: Sequence[Delivery]) -> None:
    """Count each settled statement and say its outcome, at debug level, in the log; ids and states only."""
    counts: Counter[tuple[str, str]] = Counter()
    bound = log.bind()  # once: it costs more than a line that is not written
    for delivery in deliveries:
        for piece in delivery.pieces:
            assert piece.outcome is not None
            reason = piece.outcome.reason.value if piece.outcome.reason else None
            counts[piece.outcome.disposition.value, reason or ""] += 1
            bound.debug(
                "statement settled",
                statement_id=piece.arrival.statement_id if piece.arrival else None,
                disposition=piece.outcome.disposition.value,
                reason=reason,
                entry_id=piece.outcome.entry_id,
                correlation_id=delivery.origin.correlation_id,
            )
    metrics.settled(counts, published_at(deliveries[0].message), time.time())
