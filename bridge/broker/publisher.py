"""Publishing with confirms: a message counts as sent when the broker has it, majority and on disk."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from aio_pika import DeliveryMode, Message
from aio_pika.abc import AbstractChannel, AbstractExchange, AbstractIncomingMessage

from bridge import tracing
from bridge.broker.connection import AWAY, connection
from bridge.broker.topology import Topology
from bridge.errors import Unavailable
from bridge.metrics import CONFIRM_FAILURES, CONFIRM_SECONDS
from bridge.settings import Settings
from bridge.tracing import Fact

CONFIRM_TIMEOUT = 30.0
"""Seconds to wait for the broker's confirm."""

PUBLISHED_AT = "timestamp_in_ms"
"""Header with the time of publishing, in milliseconds since 1970: the name that RabbitMQ's own interceptor uses."""


@dataclass(frozen=True, slots=True)
class Outgoing:
    """A message to publish; ``headers`` hold text and numbers only, ``traceparent`` is the trace it belongs to."""

    exchange: str
    routing_key: str
    body: bytes
    message_id: str | None = None
    correlation_id: str | None = None
    content_type: str = "application/json"
    content_encoding: str | None = None
    headers: dict[str, Any] = field(default_factory=dict[str, Any])
    traceparent: str | None = None

    def message(self, traceparent: str | None = None) -> Message:
        """Return the persistent AMQP message, as part of a trace."""
        trace = {} if traceparent is None else {tracing.HEADER: traceparent}
        return Message(
            self.body,
            headers=stamped({**self.headers, **trace}),
            content_type=self.content_type,
            content_encoding=self.content_encoding,
            delivery_mode=DeliveryMode.PERSISTENT,
            message_id=self.message_id,
            correlation_id=self.correlation_id,
        )


class Publisher:
    """Publishes over one confirming channel."""

    def __init__(self, channel: AbstractChannel) -> None:
        self._channel = channel
        self._exchanges: dict[str, AbstractExchange] = {}

    async def publish(self, messages: Sequence[Outgoing], *, mandatory: bool = True) -> None:
        """Publish in order and wait for every confirm; raises ``Unavailable``, and then any may have arrived.

        ``mandatory``: a message that no queue takes is an error.
        """
        began = time.perf_counter()
        try:
            exchanges = {name: await self._exchange(name) for name in {message.exchange for message in messages}}
            await asyncio.gather(
                *[self._publish(message, exchanges[message.exchange], mandatory) for message in messages]
            )
        except AWAY as error:
            CONFIRM_FAILURES.inc()
            raise Unavailable("The broker did not confirm the message; try again shortly.") from error
        CONFIRM_SECONDS.observe(time.perf_counter() - began)

    async def declare(self, topology: Topology) -> None:
        """Declare the exchanges and queues that are published to."""
        await topology.declare(self._channel)

    async def _publish(self, message: Outgoing, exchange: AbstractExchange, mandatory: bool) -> None:
        facts: dict[str, Fact] = {**tracing.RABBITMQ, "messaging.destination.name": exchange.name}
        parent = message.traceparent or tracing.current()
        with tracing.span(f"publish {exchange.name}", "producer", parent, facts) as span:
            sent = message.message(span.traceparent)
            await exchange.publish(sent, message.routing_key, mandatory=mandatory, timeout=CONFIRM_TIMEOUT)

    async def _exchange(self, name: str) -> AbstractExchange:
        if name not in self._exchanges:
            self._exchanges[name] = await self._channel.get_exchange(name, ensure=False)
        return self._exchanges[name]


def stamped(headers: Mapping[str, Any]) -> dict[str, Any]:
    """Return headers that say that the message is published now."""
    return {**headers, PUBLISHED_AT: time.time_ns() // 1_000_000}


def published_at(message: AbstractIncomingMessage) -> float | None:
    """Return when a message was published, in seconds since 1970; None when neither publisher nor broker said so.

    The header is to the millisecond; the property ``timestamp``, which others set, to the second (AMQP 0-9-1 §4.2.5.4).
    """
    stamp = message.headers.get(PUBLISHED_AT)
    if isinstance(stamp, int):
        return stamp / 1000
    return message.timestamp.timestamp() if message.timestamp else None


@asynccontextmanager
async def publisher(settings: Settings, purpose: str) -> AsyncGenerator[Publisher]:
    """Open a connection of its own to publish over."""
    async with connection(settings, purpose) as opened:
        yield Publisher(await opened.channel(publisher_confirms=True, on_return_raises=True))
