"""Exchanges, queues and bindings (api.md, AMQP): the names are the contract, declared again at every connection."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from aio_pika import ExchangeType
from aio_pika.abc import AbstractChannel, AbstractExchange, AbstractQueue
from aio_pika.exceptions import ChannelNotFoundEntity

from bridge.errors import Unavailable
from schemas.xapi import verb_name

DELIVERY_LIMIT = 10_000
"""Redeliveries before RabbitMQ itself dead-letters a message: far above what restarts spend, below for ever.

RabbitMQ 4 would drop a message after 20, so a worker killed often enough would lose it.
"""

MESSAGE_BYTES = 16 * 2**20
"""Largest message that RabbitMQ 4 takes, unless told otherwise (``max_message_size``); what is larger is refused."""

SHORT_STRING = 255
"""Bytes of a short string, as properties and routing keys are (AMQP 0-9-1 §4.2.5.3)."""


@dataclass(frozen=True, slots=True)
class Topology:
    """The names, each behind an optional namespace, and the verbs whose statements are wanted."""

    namespace: str
    verbs: tuple[str, ...]
    mails: bool = False  # whether anybody takes the queue of notices; else it would only grow
    queue: str = "cpd.completions"
    declares: bool = True  # else they are there already (deploy/rabbitmq), and the user may not change them

    @property
    def statements(self) -> str:
        """Topic exchange that the Learning centre publishes to."""
        return f"{self.namespace}xapi.statements"

    @property
    def completions(self) -> str:
        """Quorum queue that the worker takes statements from."""
        return f"{self.namespace}{self.queue}"

    @property
    def dead_letters(self) -> str:
        """Exchange and queue of what needs a person; see ``dead_queue``."""
        return f"{self.namespace}cpd.dead-letters"

    @property
    def dead_queue(self) -> str:
        """Quorum queue that keeps the dead letters until they are replayed or discarded."""
        return f"{self.namespace}cpd.completions.dead"

    @property
    def membership(self) -> str:
        """Topic exchange that the membership system publishes to."""
        return f"{self.namespace}membership"

    @property
    def members(self) -> str:
        """Quorum queue of the member feed."""
        return f"{self.namespace}cpd.members"

    @property
    def events(self) -> str:
        """Topic exchange of our own CloudEvents."""
        return f"{self.namespace}cpd.events"

    @property
    def notices(self) -> str:
        """Quorum queue of the events that members get an e-mail about."""
        return f"{self.namespace}cpd.notices"

    @property
    def statement_keys(self) -> list[str]:
        """Routing keys of the statements that are wanted."""
        return [routing_key(verb) for verb in self.verbs]

    async def declare(self, channel: AbstractChannel) -> None:
        """Declare everything; repeating it changes nothing. Raises ``Unavailable`` for what should be there already."""
        if not self.declares:
            await self._look_for_all(channel)
            return
        statements, membership, dead, events = [
            await self._exchange(channel, name, kind)
            for name, kind in (
                (self.statements, ExchangeType.TOPIC),
                (self.membership, ExchangeType.TOPIC),
                (self.dead_letters, ExchangeType.FANOUT),
                (self.events, ExchangeType.TOPIC),
            )
        ]
        await (await self._queue(channel, self.dead_queue)).bind(dead)
        completions = await self._queue(channel, self.completions, dead)
        for key in self.statement_keys:
            await completions.bind(statements, key)
        members = await self._queue(channel, self.members, dead)
        for key in ("member.upserted", "member.left"):
            await members.bind(membership, key)
        if self.mails:
            await (await self._queue(channel, self.notices, dead)).bind(events, "audit.*")

    async def _look_for_all(self, channel: AbstractChannel) -> None:
        """Passive declarations need no right at all, and fail when the name is unknown."""
        try:
            for name in (self.statements, self.membership, self.dead_letters, self.events):
                await channel.declare_exchange(name, passive=True)
            for name in (self.completions, self.dead_queue, self.members, *([self.notices] if self.mails else ())):
                await channel.declare_queue(name, passive=True)
        except ChannelNotFoundEntity as error:
            raise Unavailable("An exchange or queue is missing: import deploy/rabbitmq/definitions.json.") from error

    async def _exchange(self, channel: AbstractChannel, name: str, kind: ExchangeType) -> AbstractExchange:
        return await channel.declare_exchange(name, kind, durable=True)

    async def _queue(self, channel: AbstractChannel, name: str, dead: AbstractExchange | None = None) -> AbstractQueue:
        arguments: dict[str, Any] = {"x-queue-type": "quorum"}
        if dead is not None:
            arguments |= {"x-dead-letter-exchange": dead.name, "x-delivery-limit": DELIVERY_LIMIT}
        return await channel.declare_queue(name, durable=True, arguments=arguments)

    async def delete(self, channel: AbstractChannel) -> None:
        """Delete everything, with what is in it; for tests that share a broker."""
        for queue in (self.completions, self.dead_queue, self.members, self.notices):
            await channel.queue_delete(queue)
        for exchange in (self.statements, self.dead_letters, self.membership, self.events):
            await channel.exchange_delete(exchange)


def routing_key(verb: str) -> str:
    """Return ``statement.<verb name>`` for a verb's name or IRI, cut to what a key may have: an IRI may be longer."""
    name = verb_name(verb) or verb.rstrip("/").rsplit("/", 1)[-1]
    return f"statement.{name}".encode()[:SHORT_STRING].decode(errors="ignore")
