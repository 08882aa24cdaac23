"""The statements of a message: from its bytes to valid statements, and to what is refused."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import partial
from typing import cast

from aio_pika.abc import AbstractIncomingMessage

from bridge.broker.deliveries import origin_of
from bridge.broker.publisher import VIA
from bridge.domain.operations import DeadLetter, Origin
from bridge.domain.statements import decoding, unpacking
from bridge.domain.statements.completions import Rules, Statement
from bridge.domain.statements.dispositions import Disposition, Outcome, Reason
from bridge.domain.statements.ledger import Arrival, arrival
from schemas import xapi

PIECE_BYTES = 4096
"""What a statement takes beside its text: what it means, and what is to be written."""


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
        arrival,
        received_at=datetime.now(UTC),
        rules=rules,
        traceparent=origin.traceparent,
        via="pull" if message.headers.get(VIA) == "pull" else "amqp",
    )
    try:
        body = unpacking.unpacked(message.body, limit, message.content_encoding, message.content_type)
        if not decoding.is_array(body):
            return Delivery(message, origin, [_piece(body, None, make_arrival)])
        return Delivery(message, origin, [_piece(part, part, make_arrival) for part in decoding.elements(body)])
    except unpacking.BadBody as error:
        return Delivery(message, origin, [_refused(None, error.reason, str(error))])


def _piece(raw: bytes, part: bytes | None, make_arrival: Callable[[Statement, bytes], Arrival]) -> Piece:
    try:
        value = decoding.decoded(raw)
    except unpacking.BadBody as error:
        return _refused(part, error.reason, str(error))
    if not xapi.is_valid(value):
        fault = xapi.explain(value)
        return _refused(part, Reason.INVALID_STATEMENT, f"{fault.pointer or '/'}: {fault.expected}")
    return Piece(part, make_arrival(cast("Statement", value), raw))


def _refused(part: bytes | None, reason: Reason, detail: str) -> Piece:
    return Piece(part, outcome=Outcome.dead(reason, detail))
