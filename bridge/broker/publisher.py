"""Publishing with confirms: a message counts as sent when the broker has it, majority and on disk."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, Callable, Coroutine, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import Any, TypeVar, cast

from aio_pika import DeliveryMode
from aio_pika.abc import AbstractChannel, AbstractConnection
from aiormq import Channel as RawChannel
from aiormq import spec
from aiormq.exceptions import PublishError

from bridge import tracing
from bridge.broker.connection import AWAY, connection
from bridge.broker.topology import Topology
from bridge.errors import Unavailable
from bridge.metrics import CONFIRM_FAILURES, CONFIRM_SECONDS
from bridge.settings import Settings
from bridge.tracing import Fact

R = TypeVar("R")

CONFIRM_TIMEOUT = 30.0
"""Seconds to wait for the broker's confirm."""

PUBLISHED_AT = "timestamp_in_ms"
"""Header with the time of publishing, in milliseconds since 1970: the name that RabbitMQ's own interceptor uses."""

VIA = "x-via"
"""Header that says how a statement came, where that is not the exchange: a ``Via``."""


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

    def properties(self, traceparent: str | None = None) -> spec.Basic.Properties:
        """Return the properties of the persistent AMQP message (AMQP 0-9-1 §4.2.6.1), as part of a trace."""
        trace = {} if traceparent is None else {tracing.HEADER: traceparent}
        return spec.Basic.Properties(
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

    async def publish(self, messages: Sequence[Outgoing], *, mandatory: bool = True) -> None:
        """Publish in order and wait for every confirm; raises ``Unavailable``, and then any may have come.

        ``mandatory``: a message that no queue takes is an error.
        """
        await self._confirmed(messages, partial(_publish, mandatory=mandatory))

    async def offer(self, messages: Sequence[Outgoing]) -> list[Outgoing]:
        """Publish likewise, and return the messages that no queue takes."""
        answers = await self._confirmed(messages, _is_taken)
        return [message for message, is_taken in zip(messages, answers, strict=True) if not is_taken]

    async def _confirmed(
        self, messages: Sequence[Outgoing], publish: Callable[[RawChannel, Outgoing], Coroutine[Any, Any, R]]
    ) -> list[R]:
        start = time.perf_counter()
        try:
            # The class, since its interface has no ``wait``.
            channel = cast("RawChannel", await self._channel.get_underlay_channel())
            async with asyncio.timeout(CONFIRM_TIMEOUT):
                results = await asyncio.gather(*[publish(channel, message) for message in messages])
        except AWAY as error:
            CONFIRM_FAILURES.inc()
            raise Unavailable("The broker did not confirm the message; try again shortly.") from error
        CONFIRM_SECONDS.observe(time.perf_counter() - start)
        return results

    async def declare(self, topology: Topology) -> None:
        """Declare the exchanges and queues that are published to."""
        await topology.declare(self._channel)


async def _publish(channel: RawChannel, message: Outgoing, mandatory: bool) -> None:
    """Publish a message as aio-pika does, but for waiting until it has left the process: the confirm tells of that.

    What waits to leave is bounded by the connection's own queue of frames.
    """
    facts: dict[str, Fact] = {**tracing.RABBITMQ, "messaging.destination.name": message.exchange}
    parent = message.traceparent or tracing.current()
    with tracing.span(f"publish {message.exchange}", "producer", parent, facts) as span:
        await channel.basic_publish(
            message.body,
            exchange=message.exchange,
            routing_key=message.routing_key,
            properties=message.properties(span.traceparent),
            mandatory=mandatory,
            wait=False,
        )


async def _is_taken(channel: RawChannel, message: Outgoing) -> bool:
    """Publish a message; returns whether a queue takes it (AMQP 0-9-1 §1.8.3.7)."""
    try:
        await _publish(channel, message, mandatory=True)
    except PublishError:
        return False
    return True


def stamped(headers: Mapping[str, Any]) -> dict[str, Any]:
    """Return headers that say that the message is published now."""
    return {**headers, PUBLISHED_AT: time.time_ns() // 1_000_000}


@asynccontextmanager
async def publisher(settings: Settings, purpose: str) -> AsyncGenerator[Publisher]:
    """Open a connection of its own to publish over."""
    async with connection(settings, purpose) as amqp:
        yield await open_publisher(amqp)


async def open_publisher(amqp: AbstractConnection) -> Publisher:
    """Return a confirming publisher on an open connection."""
    return Publisher(await amqp.channel(publisher_confirms=True, on_return_raises=True))
