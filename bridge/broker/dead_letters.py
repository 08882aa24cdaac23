"""Dead letters: what could not be taken, byte for byte, with the reason in the headers (api.md)."""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, TypeVar, cast

from aio_pika.abc import AbstractIncomingMessage

from bridge.broker.deliveries import origin_at
from bridge.broker.publisher import Outgoing
from bridge.broker.topology import Topology
from bridge.domain.operations.letters import DeadLetter, QueuedDeadLetter, with_id
from bridge.domain.record import NAMESPACE
from bridge.domain.statements import DEAD_LETTER_REASONS, Reason

OURS = ("x-reason", "x-detail", "x-original-", "x-correlation-id", "x-failed-at", "x-attempts")
"""How the headers begin that make a message a dead letter; a replay leaves them out."""

BROKERS = ("x-death", "x-first-death-", "x-last-death-", "x-delivery-count", "x-acquired-count")
"""How the headers begin that RabbitMQ adds by itself."""

_BEGINNING = datetime.fromtimestamp(0, UTC)

T = TypeVar("T")


def outgoing_dead_letter(letter: DeadLetter, topology: Topology) -> Outgoing:
    """Return the message for the dead-letter exchange.

    Its id follows from the body and where it came from, so that one written twice (the worker died between
    writing it and acknowledging) can be told from two.
    """
    seed = f"{letter.origin.routing_key}/{letter.reason}/{hashlib.sha256(letter.body).hexdigest()}"
    return Outgoing(
        exchange=topology.dead_letters,
        routing_key=letter.reason.value,
        body=letter.body,
        message_id=str(uuid.uuid5(NAMESPACE, f"{seed}/{letter.origin.correlation_id}")),
        correlation_id=letter.origin.correlation_id,
        content_type=letter.origin.content_type or "application/json",
        content_encoding=letter.origin.content_encoding,
        headers={
            "x-reason": letter.reason.value,
            "x-detail": letter.detail,
            "x-original-exchange": letter.origin.exchange,
            "x-original-routing-key": letter.origin.routing_key,
            "x-correlation-id": letter.origin.correlation_id,
            "x-failed-at": letter.failed_at.isoformat(),
            "x-attempts": letter.attempts,
        },
        traceparent=letter.origin.traceparent,
    )


def read_dead_letter(message: AbstractIncomingMessage) -> QueuedDeadLetter:
    """Read a message of the dead-letter queue, whoever put it there: the worker, RabbitMQ itself, or a stranger."""
    headers = cast("Mapping[str, Any]", message.headers)
    reason = _reason(headers)
    letter = _brokers(message, headers) if reason is None else _ours(message, headers, reason)
    return with_id(letter, message.message_id)


def _reason(headers: Mapping[str, Any]) -> Reason | None:
    value = headers.get("x-reason")
    return Reason(value) if isinstance(value, str) and value in DEAD_LETTER_REASONS else None


def _ours(message: AbstractIncomingMessage, headers: Mapping[str, Any], reason: Reason) -> DeadLetter:
    origin = origin_at(message, headers.get("x-original-exchange"), headers.get("x-original-routing-key"))
    failed_at = _time(headers.get("x-failed-at"))
    return DeadLetter(
        message.body, reason, str(headers.get("x-detail", "")), origin, failed_at, _count(headers.get("x-attempts"))
    )


def _brokers(message: AbstractIncomingMessage, headers: Mapping[str, Any]) -> DeadLetter:
    """Read a letter that RabbitMQ dead-lettered, by its ``x-death`` header, or one that says nothing of itself."""
    death = _first(headers.get("x-death"), dict[str, Any]())
    cause = str(death.get("reason", "nothing said"))
    origin = origin_at(message, death.get("exchange"), _first(death.get("routing-keys"), message.routing_key or ""))
    detail = f"a message that can be taken was expected; put aside by the broker ({cause})"
    attempts = _count(headers.get("x-delivery-count"))
    return DeadLetter(message.body, Reason.EXHAUSTED, detail, origin, _time(death.get("time")), attempts)


def _first(value: object, otherwise: T) -> T:
    """Return a list's first element, when that is of the other's type."""
    first = cast("list[object]", value)[0] if isinstance(value, list) and value else None
    return first if isinstance(first, type(otherwise)) else otherwise


def _time(value: object) -> datetime:
    """Return the header's time in UTC; a letter that does not say counts as the oldest there is."""
    if isinstance(value, datetime):
        return value if value.tzinfo else value.replace(tzinfo=UTC)
    try:
        return datetime.fromisoformat(str(value)).astimezone(UTC)
    except (ValueError, OverflowError):
        return _BEGINNING


def _count(value: object) -> int:
    return value if isinstance(value, int) else 1
