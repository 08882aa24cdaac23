"""Deliveries: what a message says of itself beside its body, where it comes from and when it was published."""

from __future__ import annotations

import hashlib
import uuid

from aio_pika.abc import AbstractIncomingMessage

from bridge import tracing
from bridge.broker.publisher import PUBLISHED_AT
from bridge.broker.topology import SHORT_STRING
from bridge.domain.operations import Origin
from bridge.domain.record import NAMESPACE


def origin_of(message: AbstractIncomingMessage) -> Origin:
    """Return where a delivered message comes from; without a correlation id, its body determines one."""
    return origin_at(message, message.exchange, message.routing_key)


def published_at(message: AbstractIncomingMessage) -> float | None:
    """Return when a message was published, in seconds since 1970; None when neither publisher nor broker said so.

    The header is to the millisecond; the property ``timestamp``, which others set, to the second (AMQP 0-9-1 §4.2.5.4).
    """
    stamp = message.headers.get(PUBLISHED_AT)
    if isinstance(stamp, int):
        return stamp / 1000
    return message.timestamp.timestamp() if message.timestamp else None


def origin_at(message: AbstractIncomingMessage, exchange: object, key: object) -> Origin:
    """Return where a message comes from when it was published to this exchange with this key."""
    correlation_id = message.correlation_id or _short(message.headers.get("x-correlation-id"))
    return Origin(
        exchange=_short(exchange),
        routing_key=_short(key),
        correlation_id=correlation_id or uuid.uuid5(NAMESPACE, hashlib.sha256(message.body).hexdigest()).hex,
        content_type=message.content_type,
        content_encoding=message.content_encoding,
        traceparent=tracing.valid(message.headers.get(tracing.HEADER)),
    )


def _short(value: object) -> str:
    """Return a header's text, or none where it would not fit the property or the key that it is to be."""
    return value if isinstance(value, str) and len(value.encode()) <= SHORT_STRING else ""
