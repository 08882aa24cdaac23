"""The worker: takes statements from the queue, reads them, records them in batches and settles their messages.

Two tasks share the work, so that messages are decoded and validated while the store works on those before them; both
together are bounded by what they take in memory, unpacked. Nothing is acknowledged before its outcome is durable. While
the store is away a batch is held in hand and tried again, so that no delivery is spent on an outage (invariant 7).
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import partial
from typing import Final, cast

import structlog
from aio_pika.abc import AbstractIncomingMessage

from bridge import metrics, tracing
from bridge.broker.dead_letters import outgoing_dead_letter
from bridge.broker.deliveries import Inbox, is_suspect, origin_of, published_at
from bridge.broker.publisher import VIA, Publisher
from bridge.broker.topology import Topology
from bridge.domain.operations import DeadLetter, Origin
from bridge.domain.statements import Arrival, BadBody, Disposition, Outcome, Reason, Rules, bodies, elements, ledger
from bridge.domain.statements.completions import Statement
from bridge.logs import NOTHING_COUNTS, failure
from bridge.services.statements.recording import Recording
from bridge.settings import Settings
from bridge.store import Busy
from bridge.tracing import RABBITMQ, Fact
from consumers.consumer import Backoff, Consumer, QueueConsumer, Work
from schemas import xapi

log = structlog.get_logger(__name__)

IN_HAND = 12 * 2**20  # bytes of memory of all that was taken and is not settled; a single message may take more
PIECE_BYTES: Final = 4096  # what a statement takes beside its text: what it means, and what is to be written
WARN_AFTER: Final = 5  # statements outside the catalogue that are no chance any more, while none was in it

REMEDY: Final = "set BRIDGE_CATALOGUE_PREFIXES and BRIDGE_CATALOGUE_TYPES right, then run cpd-bridge reconsider"

TRANSACTION_BYTES: Final = 4 * 2**20
"""Bytes of statements that one transaction writes, at most; a single one may have more."""

TRIES: Final = 2  # tries of a transaction that met others, before it goes on in smaller pieces

_COUNTING: Final = frozenset({Disposition.RECORDED, Disposition.MERGED, Disposition.HELD, Disposition.PARKED})


@dataclass(slots=True)
class Piece:
    """One statement of a message, or the whole message when it could not be read.

    It is refused (it has an outcome at once) or has an arrival, whose outcome the recording brings.
    """

    part: bytes | None  # the bytes of a statement inside an array; None: the message's own body
    arrival: Arrival | None = None
    outcome: Outcome | None = None
    attempts: int = 1


@dataclass(slots=True)
class Delivery:
    """One message taken from the queue, in pieces."""

    message: AbstractIncomingMessage
    origin: Origin
    pieces: list[Piece] = field(default_factory=list[Piece])

    @property
    def weight(self) -> int:
        """Bytes of memory that it takes, about: its body as it came, and as it was unpacked and split."""
        parts = sum(len(piece.arrival.raw) if piece.arrival else len(piece.part or b"") for piece in self.pieces)
        return len(self.message.body) + parts + PIECE_BYTES * len(self.pieces)

    def dispositions(self) -> set[str]:
        """Return what became of the settled pieces."""
        return {piece.outcome.disposition.value for piece in self.pieces if piece.outcome}

    def dead_letters(self, now: datetime) -> list[DeadLetter]:
        """Return the dead letters among the settled pieces, each with its body byte for byte."""
        outcomes = [(piece, piece.outcome) for piece in self.pieces if piece.outcome]
        dead = [(piece, outcome) for piece, outcome in outcomes if outcome.disposition is Disposition.DEAD_LETTERED]
        return [self._dead_letter(piece, outcome, now) for piece, outcome in dead]

    def _dead_letter(self, piece: Piece, outcome: Outcome, now: datetime) -> DeadLetter:
        assert outcome.reason is not None
        if piece.part is None:
            return DeadLetter(self.message.body, outcome.reason, outcome.detail, self.origin, now, piece.attempts)
        plain_origin = replace(self.origin, content_type=None, content_encoding=None)
        return DeadLetter(piece.part, outcome.reason, outcome.detail, plain_origin, now, piece.attempts)


def read_delivery(message: AbstractIncomingMessage, rules: Rules, limit: int) -> Delivery:
    """Decode and validate a message; never raises for what is in it. ``limit`` is in bytes, packed or unpacked."""
    origin = origin_of(message)
    make_arrival = partial(
        ledger.arrival,
        received_at=datetime.now(UTC),
        rules=rules,
        traceparent=origin.traceparent,
        via="pull" if message.headers.get(VIA) == "pull" else "amqp",
    )
    try:
        body = bodies.unpacked(message.body, limit, message.content_encoding, message.content_type)
        if not bodies.is_array(body):
            return Delivery(message, origin, [_piece(body, None, make_arrival)])
        return Delivery(message, origin, [_piece(part, part, make_arrival) for part in elements(body)])
    except BadBody as error:
        return Delivery(message, origin, [_refused(None, error.reason, str(error))])


def _piece(raw: bytes, part: bytes | None, make_arrival: Callable[[Statement, bytes], Arrival]) -> Piece:
    try:
        value = bodies.decoded(raw)
    except BadBody as error:
        return _refused(part, error.reason, str(error))
    if not xapi.is_valid(value):
        fault = xapi.explain(value)
        return _refused(part, Reason.INVALID_STATEMENT, f"{fault.pointer or '/'}: {fault.expected}")
    return Piece(part, make_arrival(cast("Statement", value), raw))


def _refused(part: bytes | None, reason: Reason, detail: str) -> Piece:
    return Piece(part, outcome=Outcome.dead(reason, detail))


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


class Recorder:
    """Gives pieces their outcomes: one batch of up to ``batch_size`` statements is one transaction.

    When it kept meeting others on the same members, it goes on in smaller pieces, so that the next to come is not in
    its way as a whole; when it failed, by halves down to the statement to blame. While the store is away it waits: an
    outage is no statement's fault (invariant 7).
    """

    def __init__(self, recording: Recording, consumer: Consumer, batch_size: int, max_attempts: int) -> None:
        self._recording = recording
        self._consumer = consumer
        self._batch_size = batch_size
        self._max_attempts = max_attempts

    async def record(self, pieces: Sequence[Piece]) -> None:
        """Give each piece its outcome; only pieces with an arrival."""
        for batch in self._batches(pieces):
            await self._record(batch)

    def _batches(self, pieces: Sequence[Piece]) -> Iterator[list[Piece]]:
        batch: list[Piece] = []
        weight = 0
        for piece in pieces:
            size = len(_arrival(piece).raw)
            if batch and (len(batch) == self._batch_size or weight + size > TRANSACTION_BYTES):
                yield batch
                batch, weight = [], 0
            batch.append(piece)
            weight += size
        if batch:
            yield batch

    async def _record(self, pieces: Sequence[Piece]) -> None:
        alone = len(pieces) == 1
        arrivals = [_arrival(piece) for piece in pieces]
        try:
            outcomes = await self._consumer.retry_while_unavailable(
                lambda: self._recording.record(arrivals, tries=None if alone else TRIES)
            )
        except Busy:
            log.debug("batch met others", size=len(pieces))
        except Exception as error:  # whatever a statement provokes must not stop the queue
            log.warning("batch failed", size=len(pieces), **failure(error))
            if alone:
                await self._try_again(pieces[0])
                return
        else:
            for piece, outcome in zip(pieces, outcomes, strict=True):
                piece.outcome = outcome
            return
        middle = len(pieces) // 2
        await self._record(pieces[:middle])
        await self._record(pieces[middle:])

    async def _try_again(self, piece: Piece) -> None:
        """Try a single statement until it is recorded or its attempts are exhausted."""
        arrival = _arrival(piece)
        backoff = Backoff(first=0.05)
        while piece.outcome is None and piece.attempts < self._max_attempts:
            piece.attempts += 1
            await backoff.wait()  # a stop hurries nothing: what is not settled in time comes again
            try:
                (piece.outcome,) = await self._consumer.retry_while_unavailable(
                    lambda: self._recording.record([arrival])
                )
            except Exception as error:  # counted as an attempt
                log.warning("statement failed", statement_id=arrival.statement_id, **failure(error))
        piece.outcome = piece.outcome or Outcome.dead(
            Reason.EXHAUSTED, f"a statement that can be recorded was expected; {piece.attempts} attempts failed"
        )


def _arrival(piece: Piece) -> Arrival:
    assert piece.arrival is not None, "only what could be read is recorded"
    return piece.arrival


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
        self._makes_spans = tracing.spans() is not None  # else the arrivals carry what their messages brought
        self._recorder = Recorder(recording, self, settings.batch_size, settings.max_attempts)

    def work(self, inbox: Inbox, publisher: Publisher) -> Sequence[Work]:
        """Read messages, and record what was read meanwhile."""
        self._inbox = inbox
        self._ready: asyncio.Queue[Delivery] = asyncio.Queue()  # bounded by what is in flight
        return [self._read(), self._record(publisher)]

    async def settle(self) -> None:
        """Record what is in hand."""
        await self._inbox.close()
        await self._ready.join()

    async def _read(self) -> None:
        """Decode and validate messages ahead of the store, as many as fit; a suspect alone, when nothing is in hand."""
        while True:
            message = await self._inbox.next()
            suspect = is_suspect(message)
            await self.in_flight.wait_for_room(0, 0 if suspect else IN_HAND)
            delivery = read_delivery(message, self._recording.rules, self._settings.max_statement_bytes)
            weight = delivery.weight
            await self.in_flight.wait_for_room(weight, IN_HAND)
            self.in_flight.add(message, weight)
            self._ready.put_nowait(delivery)
            if suspect:
                await self._ready.join()

    async def _batch(self) -> list[Delivery]:
        """Wait for a delivery, then take what is ready by now: statements for one transaction, or a whole message."""
        deliveries = [await self._ready.get()]
        count = len(deliveries[0].pieces)
        while count < self._settings.batch_size and not self._ready.empty():
            deliveries.append(self._ready.get_nowait())
            count += len(deliveries[-1].pieces)
        return deliveries

    async def _record(self, publisher: Publisher) -> None:
        while True:
            deliveries = await self._batch()
            with _traced(deliveries, self._queue) if self._makes_spans else nullcontext():
                pieces = [piece for delivery in deliveries for piece in delivery.pieces if piece.arrival]
                await self._recorder.record(pieces)
                await self._acknowledge(deliveries, publisher)
            self._report(deliveries)
            self._watch.note(deliveries)
            for _ in deliveries:
                self.in_flight.remove_oldest()
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
    parents = [delivery.origin.traceparent for delivery in deliveries]
    facts: dict[str, Fact] = {"messaging.destination.name": queue, "messaging.batch.message_count": len(deliveries)}
    with tracing.spans_of(f"process {queue}", "consumer", parents, {**RABBITMQ, **facts}) as spans:
        for delivery, span in zip(deliveries, spans, strict=True):
            for piece in delivery.pieces:
                piece.arrival = piece.arrival and replace(piece.arrival, traceparent=span.traceparent)
        yield
        for delivery, span in zip(deliveries, spans, strict=True):
            span.note("cpd_bridge.dispositions", ",".join(sorted(delivery.dispositions())))
