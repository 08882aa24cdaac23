"""Exchanges, queues and bindings (api.md, AMQP): the names are the contract, declared again at every connection."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from aio_pika import ExchangeType
from aio_pika.abc import AbstractChannel
from aio_pika.exceptions import ChannelNotFoundEntity

from bridge.errors import Unavailable
from bridge.settings import Settings
from schemas.xapi import verb_name

DELIVERY_LIMIT = 10_000
"""Redeliveries before RabbitMQ itself dead-letters a message: far above what restarts spend, below for ever.

RabbitMQ 4 would drop a message after 20, so a worker killed often enough would lose it.
"""

MESSAGE_BYTES = 16 * 2**20
"""Largest message that RabbitMQ 4 takes, unless told otherwise (``max_message_size``); what is larger is refused."""

SHORT_STRING = 255
"""Bytes of a short string, as properties and routing keys are (AMQP 0-9-1 §4.2.5.3)."""


COMPLETIONS = "cpd.completions"
"""The queue of statements, unless it is split by member."""

MEMBER_KEYS = ("member.upserted", "member.left")
"""Routing keys of the member feed."""


@dataclass(frozen=True, slots=True)
class BoundQueue:
    """A queue of ours, the exchange and routing keys that it is bound to, and the exchange its dead letters go to."""

    name: str
    exchange: str
    keys: tuple[str, ...]
    dead_letters: str | None = None

    @property
    def arguments(self) -> dict[str, Any]:
        """What it is declared with."""
        arguments: dict[str, Any] = {"x-queue-type": "quorum"}
        if self.dead_letters is not None:
            arguments |= {"x-dead-letter-exchange": self.dead_letters, "x-delivery-limit": DELIVERY_LIMIT}
        return arguments


class Topology:
    """The names, each behind an optional namespace, and the verbs whose statements are wanted.

    ``mails`` says whether anybody takes the queue of notices, which else would only grow; ``declares`` whether the user
    may declare, else all is there already (deploy/rabbitmq). ``labels`` are what operations call the queues.
    """

    def __init__(
        self,
        namespace: str,
        verbs: Sequence[str],
        queue: str = COMPLETIONS,
        *,
        mails: bool = False,
        declares: bool = True,
    ) -> None:
        self.mails = mails
        self._declares = declares
        self.statements = f"{namespace}xapi.statements"  # topic exchange that the Learning centre publishes to
        self.completions = f"{namespace}{queue}"  # queue that the worker takes statements from
        self.dead_letters = f"{namespace}cpd.dead-letters"  # exchange of what needs a person
        self.dead_queue = f"{namespace}cpd.completions.dead"  # keeps them until they are replayed or discarded
        self.membership = f"{namespace}membership"  # topic exchange that the membership system publishes to
        self.members = f"{namespace}cpd.members"  # queue of the member feed
        self.events = f"{namespace}cpd.events"  # topic exchange of our own CloudEvents
        self.notices = f"{namespace}cpd.notices"  # queue of the events that members get an e-mail about
        self.labels = {"completions": self.completions, "members": self.members, "dead_letters": self.dead_queue}
        self.statement_keys = tuple(routing_key(verb) for verb in verbs)
        topics = (self.statements, self.membership, self.events)
        self.exchanges = (*((name, ExchangeType.TOPIC) for name in topics), (self.dead_letters, ExchangeType.FANOUT))
        notices = BoundQueue(self.notices, self.events, ("audit.*",), self.dead_letters)
        self.queues = (
            BoundQueue(self.dead_queue, self.dead_letters, (self.dead_queue,)),
            BoundQueue(self.completions, self.statements, self.statement_keys, self.dead_letters),
            BoundQueue(self.members, self.membership, MEMBER_KEYS, self.dead_letters),
            *([notices] if mails else []),
        )

    async def declare(self, channel: AbstractChannel) -> None:
        """Declare everything; repeating it changes nothing. Raises ``Unavailable`` for what should be there already."""
        if not self._declares:
            await self._look_for_all(channel)
            return
        for name, kind in self.exchanges:
            await channel.declare_exchange(name, kind, durable=True)
        for queue in self.queues:
            target = await channel.declare_queue(queue.name, durable=True, arguments=queue.arguments)
            for key in queue.keys:
                await target.bind(queue.exchange, key)

    async def _look_for_all(self, channel: AbstractChannel) -> None:
        """Passive declarations need no right at all, and fail when the name is unknown."""
        for name, _ in self.exchanges:
            with _missing(f"exchange {name}"):
                await channel.declare_exchange(name, passive=True)
        for queue in self.queues:
            with _missing(f"queue {queue.name}"):
                await channel.declare_queue(queue.name, passive=True)


def configured_topology(settings: Settings) -> Topology:
    """Return the names that the settings give."""
    return Topology(
        settings.amqp_namespace,
        settings.verbs,
        settings.completions_queue,
        mails=settings.smtp_url is not None,
        declares=settings.amqp_declare,
    )


def routing_key(verb: str) -> str:
    """Return ``statement.<verb name>`` for a verb's name or IRI, cut to what a key may have: an IRI may be longer."""
    name = verb_name(verb) or verb.rstrip("/").rsplit("/", 1)[-1]
    return f"statement.{name}".encode()[:SHORT_STRING].decode(errors="ignore")


@contextmanager
def _missing(name: str) -> Generator[None]:
    """Raise ``Unavailable`` that says what is not there."""
    try:
        yield
    except ChannelNotFoundEntity as error:
        why = f"no {name}"
        raise Unavailable(f"RabbitMQ has {why}: import deploy/rabbitmq/definitions.json.", why=why) from error
