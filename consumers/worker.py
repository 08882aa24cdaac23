"""The worker: takes statements in batches, records them and settles them.

Two tasks share the work, so that the next batch is decoded and validated while the store works on this one; both
together are bounded by what they take in memory, unpacked. Nothing is acknowledged before its outcome is durable. While
the store is away a batch is held in hand and tried again; the broker stops delivering once as much is in hand as was
asked for, so no delivery is spent on an outage (invariant 7).
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from typing import Final

import structlog
from aio_pika.abc import AbstractIncomingMessage

from bridge import metrics, tracing
from bridge.broker.dead_letters import outgoing_dead_letter
from bridge.broker.publisher import Publisher, published_at
from bridge.broker.topology import Topology
from bridge.domain.statements import unpacking
from bridge.domain.statements.completions import Rules
from bridge.domain.statements.dispositions import Disposition, Reason
from bridge.services.statements.recording import Recording
from bridge.settings import Settings
from bridge.tracing import RABBITMQ, Fact
from consumers.completions import Delivery, read_delivery
from consumers.consumer import QueueConsumer, Work
from consumers.inbox import Inbox, is_suspect
from consumers.recorder import Recorder

log = structlog.get_logger(__name__)

IN_HAND = 12 * 2**20
"""Bytes of memory of all that was taken and is not settled; a single message may take more."""

WARN_AFTER: Final = 5
"""Statements outside the catalogue that are no chance any more, while none was in it."""

NOTHING_COUNTS: Final = "nothing counts: every activity is outside the catalogue"
"""The line of the log; ``cpd-bridge dev`` and the demo look for it."""

REMEDY: Final = "set BRIDGE_CATALOGUE_PREFIXES and BRIDGE_CATALOGUE_TYPES right, then run cpd-bridge reconsider"

_COUNTING: Final = frozenset({Disposition.RECORDED, Disposition.MERGED, Disposition.HELD, Disposition.PARKED})


def report(deliveries: Sequence[Delivery]) -> None:
    """Count each settled statement and say its outcome, at debug level, in the log; ids and states only."""
    counts: Counter[tuple[str, str]] = Counter()
    logger = log.bind()  # once: it costs more than a line that is not written
    for delivery in deliveries:
        for piece in delivery.pieces:
            assert piece.outcome is not None
            reason = piece.outcome.reason.value if piece.outcome.reason else None
            counts[piece.outcome.disposition.value, reason or ""] += 1
            logger.debug(
                "statement settled",
                statement_id=piece.arrival.statement_id if piece.arrival else None,
                disposition=piece.outcome.disposition.value,
                reason=reason,
                entry_id=piece.outcome.entry_id,
                correlation_id=delivery.origin.correlation_id,
            )
    metrics.settled(counts, published_at(deliveries[0].message), time.time())


def log_rules(rules: Rules) -> None:
    """Say what counts, at the start of the worker."""
    log.info(
        "what counts",
        prefixes=list(rules.prefixes) or "any",
        types=sorted(rules.types) or "any",
        verbs=sorted(rules.verbs),
        completed_from=rules.go_live.isoformat() if rules.go_live else "any time",
    )


class CatalogueWatch:
    """Counts what is outside the catalogue until something counts, and warns once when nothing does."""

    def __init__(self) -> None:
        self._reasons: Counter[Reason | None] = Counter()
        self._is_over = False

    def note(self, deliveries: Sequence[Delivery]) -> None:
        """Take in settled statements."""
        if self._is_over:
            return
        outcomes = [piece.outcome for delivery in deliveries for piece in delivery.pieces if piece.outcome]
        self._reasons.update(outcome.reason for outcome in outcomes)
        has_counted = any(outcome.disposition in _COUNTING for outcome in outcomes)
        count = self._reasons[Reason.NOT_CATALOGUE]
        self._is_over = has_counted or count >= WARN_AFTER
        if self._is_over and not has_counted:
            log.warning(NOTHING_COUNTS, statements=count, remedy=REMEDY)


class Worker(QueueConsumer):
    """Consumes ``cpd.completions``."""

    purpose = "statements"
    most_bytes = 16 * 2**20

    def __init__(
        self,
        settings: Settings,
        topology: Topology,
        recording: Recording,
        report: Callable[[Sequence[Delivery]], None] = report,
    ) -> None:
        super().__init__(settings, topology, topology.completions)
        self.prefetch = 2 * settings.batch_size
        self._recording = recording
        self._report = report
        self._watch = CatalogueWatch()
        self._recorder = Recorder(recording, self, settings.batch_size, settings.max_attempts)

    def work(self, inbox: Inbox, publisher: Publisher) -> Sequence[Work]:
        """Prepare batches, and record them."""
        self._inbox = inbox
        self._ready: asyncio.Queue[list[Delivery]] = asyncio.Queue(maxsize=1)
        return [self._prepare(), self._record(publisher)]

    async def settle(self) -> None:
        """Record what is in hand."""
        await self._inbox.close()
        await self._ready.join()

    async def _prepare(self) -> None:
        surplus: Delivery | None = None
        while True:
            message = surplus.message if surplus else await self._inbox.next()
            suspect = is_suspect(message)
            await self.in_flight.wait_for_room(0, 0 if suspect else IN_HAND)
            first = surplus or self._read_delivery(message)
            await self.in_flight.wait_for_room(first.weight, IN_HAND)
            batch, surplus = ([first], None) if suspect else self._fill_batch(first)
            self.in_flight.add(message, sum(delivery.weight for delivery in batch))
            await self._ready.put(batch)
            if suspect:
                await self._ready.join()

    def _fill_batch(self, first: Delivery) -> tuple[list[Delivery], Delivery | None]:
        """Return a batch of what has come by now, and the one message that was taken and is too much for it."""
        batch, weight, statements = [first], self.in_flight.weight + first.weight, len(first.pieces)
        while len(batch) < self._settings.batch_size and (message := self._inbox.next_waiting()) is not None:
            delivery = self._read_delivery(message)
            weight, statements = weight + delivery.weight, statements + len(delivery.pieces)
            if weight > IN_HAND or statements > unpacking.MOST_STATEMENTS:
                return batch, delivery
            batch.append(delivery)
        return batch, None

    def _read_delivery(self, message: AbstractIncomingMessage) -> Delivery:
        return read_delivery(message, self._recording.rules, self._settings.max_statement_bytes)

    async def _record(self, publisher: Publisher) -> None:
        while True:
            deliveries = await self._ready.get()
            with _traced(deliveries, self._queue):
                pieces = [piece for delivery in deliveries for piece in delivery.pieces if piece.arrival]
                await self._recorder.record(pieces)
                await self._acknowledge(deliveries, publisher)
            self.in_flight.remove_oldest()
            self._report(deliveries)
            self._watch.note(deliveries)
            self._ready.task_done()

    async def _acknowledge(self, deliveries: Sequence[Delivery], publisher: Publisher) -> None:
        """Settle deliveries whose outcomes are durable: first the dead letters, confirmed, then the acknowledgement.

        In the order of their tags, with nothing open before them, the last one's acknowledgement covers all. Raises
        ``Unavailable``, and then the messages come again.
        """
        now = datetime.now(UTC)
        letters = [
            outgoing_dead_letter(letter, self._topology)
            for delivery in deliveries
            for letter in delivery.dead_letters(now)
        ]
        if letters:
            await publisher.publish(letters)
        if self._inbox.in_order:
            await deliveries[-1].message.ack(multiple=True)
            return
        for delivery in deliveries:
            await delivery.message.ack()


@contextmanager
def _traced(deliveries: Sequence[Delivery], queue: str) -> Generator[None]:
    """Add a step to each message's own trace; what its statements lead to carries on that trace."""
    if tracing.spans() is None:
        yield  # the arrivals have what their messages brought
        return
    parents = [delivery.origin.traceparent for delivery in deliveries]
    facts: dict[str, Fact] = {"messaging.destination.name": queue, "messaging.batch.message_count": len(deliveries)}
    with tracing.spans_of(f"process {queue}", "consumer", parents, {**RABBITMQ, **facts}) as spans:
        for delivery, span in zip(deliveries, spans, strict=True):
            for piece in delivery.pieces:
                piece.arrival = piece.arrival and replace(piece.arrival, traceparent=span.traceparent)
        yield
        for delivery, span in zip(deliveries, spans, strict=True):
            span.note("cpd_bridge.dispositions", ",".join(sorted(delivery.dispositions())))
