"""Publishing with confirms: a message counts as sent when the broker has it, majority and on disk."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from aio_pika import DeliveryMode, Message
from aio_pika.abc import AbstractChannel, AbstractExchange

from bridge.broker.connection import AWAY, connection
from bridge.broker.topology import Topology
from bridge.errors import Unavailable
from bridge.settings import Settings

CONFIRM_TIMEOUT = 30.0
"""Seconds to wait for the broker's confirm."""


@dataclass(frozen=True, slots=True)
class Outgoing:
    """A message to publish; ``headers`` hold text and numbers only."""

    exchange: str
    routing_key: str
    body: bytes
    message_id: str | None = None
    correlation_id: str | None = None
    content_type: str = "application/json"
    content_encoding: str | None = None
    headers: dict[str, Any] = field(default_factory=dict[str, Any])

    def message(self) -> Message:
        """Return the persistent AMQP message."""
        return Message(
            self.body,
            headers=self.headers,
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
        try:
            exchanges = {name: await self._exchange(name) for name in {message.exchange for message in messages}}
            await asyncio.gather(
                *[self._publish(message, exchanges[message.exchange], mandatory) for message in messages]
            )
        except AWAY as error:
            raise Unavailable("The broker did not confirm the message; try again shortly.") from error

    async def declare(self, topology: Topology) -> None:
        """Declare the exchanges and queues that are published to."""
        await topology.declare(self._channel)

    async def _publish(self, message: Outgoing, exchange: AbstractExchange, mandatory: bool) -> None:
        await exchange.publish(message.message(), message.routing_key, mandatory=mandatory, timeout=CONFIRM_TIMEOUT)

    async def _exchange(self, name: str) -> AbstractExchange:
        if name not in self._exchanges:
            self._exchanges[name] = await self._channel.get_exchange(name, ensure=False)
        return self._exchanges[name]


@asynccontextmanager
async def publisher(settings: Settings, purpose: str) -> AsyncGenerator[Publisher]:
    """Open a connection of its own to publish over."""
    async with connection(settings, purpose) as opened:
        yield Publisher(await opened.channel(publisher_confirms=True, on_return_raises=True))
