"""Passes over the dead-letter queue: to see what is in it, to put letters back, to remove them (docs/decisions/0005).

Reading takes from the queue and spends deliveries, so lists come from the mirror. A pass takes with consumers and gives
back by closing their channels one after another: that keeps the order.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from enum import Enum, auto
from typing import Any

from aio_pika import DeliveryMode, Message
from aio_pika.abc import AbstractChannel, AbstractConnection, AbstractIncomingMessage
from aio_pika.exceptions import ChannelNotFoundEntity, DeliveryError

from bridge.broker.connection import AWAY, connection
from bridge.broker.dead_letters import BROKERS, OURS, read_dead_letter
from bridge.broker.locks import acquire_within
from bridge.broker.publisher import CONFIRM_TIMEOUT, stamped
from bridge.broker.topology import Topology
from bridge.domain.operations.letters import QueuedDeadLetter, with_id
from bridge.errors import Unavailable
from bridge.settings import Settings

AT_ONCE = 50
"""Letters in hand with their bodies; of the others a pass holds only the channel."""

RENEW_AT = 10  # deliveries after which a letter is written anew, long before RabbitMQ 4 would drop it

SILENCE, PATIENCE = 0.1, 1.0
"""Seconds without a message that end a pass: when as many as expected have come, and when some have not."""

LOOK_AGAIN = 0.01  # seconds between looks whether letters that were given back are ready
WAIT_FOR_TURN = 20.0  # seconds to wait for another process's pass to end


class LetterAction(Enum):
    """What a pass does with a letter."""

    KEEP = auto()
    REPLAY = auto()
    DISCARD = auto()


@dataclass(frozen=True, slots=True)
class Rewrite:
    """What a pass does with a letter that stays: its body becomes another, of plain JSON."""

    body: bytes


Decide = Callable[[QueuedDeadLetter], Awaitable[LetterAction | Rewrite]]


@dataclass(slots=True)
class ScanResult:
    """What a pass did: ids of the letters. ``refused`` could not be put back and are still in the queue."""

    replayed: list[str] = field(default_factory=list[str])
    discarded: list[str] = field(default_factory=list[str])
    refused: list[str] = field(default_factory=list[str])
    rewritten: list[QueuedDeadLetter] = field(default_factory=list[QueuedDeadLetter])  # each has another id than before

    @property
    def settled(self) -> int:
        """How many letters it dealt with."""
        return len(self.replayed) + len(self.discarded) + len(self.refused) + len(self.rewritten)


@dataclass(frozen=True, slots=True)
class QueueState:
    """Messages that are ready, and consumers; None for a queue that does not exist."""

    depth: int | None
    consumers: int | None


class DeadLetterQueue:
    """The queue of dead letters, over a connection for each use."""

    def __init__(self, settings: Settings, topology: Topology) -> None:
        self._settings = settings
        self._topology = topology

    async def states(self) -> dict[str, QueueState]:
        """Return ``completions``, ``members`` and ``dead_letters`` with the state of each queue."""
        async with connection(self._settings, "queues") as amqp:
            return {label: await state(amqp, name) for label, name in self._topology.labels.items()}

    async def depth(self) -> int:
        """Return how many letters are ready in the queue."""
        async with connection(self._settings, "queues") as amqp:
            return (await state(amqp, self._topology.dead_queue)).depth or 0

    async def scan(self, decide: Decide, limit: int | None = None) -> ScanResult:
        """Pass over the letters, oldest first, and do with each what ``decide`` says; end early after ``limit``.

        A replayed letter is taken off the queue once the broker has confirmed the message it became, so that it is
        never lost: a pass cut short leaves it in both places, and recording is idempotent. Raises ``Unavailable``.
        """
        result = ScanResult()
        try:
            async with connection(self._settings, "dead letters") as amqp:
                if not await acquire_within(amqp, f"{self._topology.dead_queue}.pass", WAIT_FOR_TURN):
                    raise Unavailable("Another replay is at work on the dead letters; try again shortly.")
                await _Pass(amqp, self._topology, result).run(decide, limit)
        except AWAY as error:
            raise Unavailable("The broker does not answer; what was not replayed is still there.") from error
        return result


class _Pass:
    """One pass; the channels it took letters on stay open till the end, so that no letter comes twice."""

    def __init__(self, amqp: AbstractConnection, topology: Topology, result: ScanResult) -> None:
        self._amqp = amqp
        self._topology = topology
        self._result = result
        self._channels: list[tuple[AbstractChannel, int]] = []  # with how many letters each has

    async def run(self, decide: Decide, limit: int | None) -> None:
        self._out = await self._amqp.channel(publisher_confirms=True, on_return_raises=True)
        await self._topology.declare(self._out)
        expected = await self._ready()
        count = 0
        while limit is None or self._result.settled < limit:
            channel, messages = await self._next(expected - count)
            self._channels.append((channel, await self._settle(messages, decide)))
            count += len(messages)
            if len(messages) < AT_ONCE:
                break
        await self._give_back()

    async def _next(self, expected: int) -> tuple[AbstractChannel, list[AbstractIncomingMessage]]:
        """Take the letters that come next, up to ``AT_ONCE``; fewer when the queue has no more."""
        channel = await self._amqp.channel(publisher_confirms=False)
        await channel.set_qos(prefetch_count=AT_ONCE)
        queue = await channel.get_queue(self._topology.dead_queue, ensure=False)
        incoming: asyncio.Queue[AbstractIncomingMessage] = asyncio.Queue()
        tag = await queue.consume(incoming.put)
        messages: list[AbstractIncomingMessage] = []
        with suppress(TimeoutError):
            while len(messages) < AT_ONCE:
                async with asyncio.timeout(PATIENCE if len(messages) < expected else SILENCE):
                    messages.append(await incoming.get())
        await queue.cancel(tag)
        return channel, messages

    async def _settle(self, messages: Sequence[AbstractIncomingMessage], decide: Decide) -> int:
        """Do what is to be done with each; returns how many stay as they are."""
        decisions = [
            (message, letter, await decide(letter)) for message in messages for letter in (read_dead_letter(message),)
        ]
        removable = await asyncio.gather(*[self._carry_out(*decision) for decision in decisions])
        for message, is_removable in zip(messages, removable, strict=True):
            if is_removable:
                await message.ack()
        return removable.count(False)

    async def _carry_out(
        self, message: AbstractIncomingMessage, letter: QueuedDeadLetter, action: LetterAction | Rewrite
    ) -> bool:
        """Return whether the message may now be taken off the queue."""
        if isinstance(action, Rewrite):
            return await self._rewrite(message, letter, action.body)
        if action is LetterAction.REPLAY:
            is_sent = await self._put_back(message, letter)
            (self._result.replayed if is_sent else self._result.refused).append(letter.id)
            return is_sent
        if action is LetterAction.DISCARD:
            self._result.discarded.append(letter.id)
            return True
        return await self._renew(message) if _deliveries(message) >= RENEW_AT else False

    async def _put_back(self, message: AbstractIncomingMessage, letter: QueuedDeadLetter) -> bool:
        origin = letter.letter.origin
        if origin.exchange not in (self._topology.statements, self._topology.membership, self._topology.events):
            return False
        exchange = await self._out.get_exchange(origin.exchange, ensure=False)
        try:
            await exchange.publish(_original(message), origin.routing_key, mandatory=True, timeout=CONFIRM_TIMEOUT)
        except DeliveryError:  # no queue takes it, or none took it
            return False
        return True

    async def _renew(self, message: AbstractIncomingMessage) -> bool:
        """Write a letter anew, by the exchange: by its queue's name would need the right to write to any queue."""
        await self._publish_again(message, _copy(message, _without(message, BROKERS[3:]), message.message_id))
        return True

    async def _rewrite(self, message: AbstractIncomingMessage, letter: QueuedDeadLetter, body: bytes) -> bool:
        copy = _copy(message, _without(message, BROKERS[3:]), message.message_id)
        copy.body, copy.content_type, copy.content_encoding = body, "application/json", None
        await self._publish_again(message, copy)
        origin = replace(letter.letter.origin, content_type=copy.content_type, content_encoding=None)
        self._result.rewritten.append(with_id(replace(letter.letter, body=body, origin=origin), message.message_id))
        return True

    async def _publish_again(self, message: AbstractIncomingMessage, copy: Message) -> None:
        exchange = await self._out.get_exchange(self._topology.dead_letters, ensure=False)
        await exchange.publish(copy, message.routing_key or "", mandatory=True, timeout=CONFIRM_TIMEOUT)

    async def _give_back(self) -> None:
        """Close the channels, first to last, each once the letters of the one before are ready again.

        A closed channel's letters return in their order, but a little later: those of two could change places.
        """
        for channel, count in self._channels:
            before = await self._ready() if count else 0
            await channel.close()
            with suppress(TimeoutError):
                async with asyncio.timeout(PATIENCE):
                    while count and await self._ready() < before + count:  # noqa: ASYNC110 - the broker does not tell
                        await asyncio.sleep(LOOK_AGAIN)

    async def _ready(self) -> int:
        return (await state(self._amqp, self._topology.dead_queue)).depth or 0


def _original(message: AbstractIncomingMessage) -> Message:
    """Return the message as it was before it became a dead letter: body, properties and headers; published now."""
    worker_made = "x-reason" in message.headers  # then its message id is the letter's, not the original's
    if worker_made:
        return _copy(message, stamped(_without(message, (*OURS, *BROKERS))), None)
    return _copy(message, stamped(_without(message, BROKERS)), message.message_id)


def _copy(message: AbstractIncomingMessage, headers: dict[str, Any], message_id: str | None) -> Message:
    return Message(
        message.body,
        headers=headers,
        content_type=message.content_type,
        content_encoding=message.content_encoding,
        delivery_mode=DeliveryMode.PERSISTENT,
        message_id=message_id,
        correlation_id=message.correlation_id,
        timestamp=message.timestamp,
        type=message.type,
        app_id=message.app_id,
    )


def _without(message: AbstractIncomingMessage, beginnings: tuple[str, ...]) -> dict[str, Any]:
    return {name: value for name, value in message.headers.items() if not name.startswith(beginnings)}


def _deliveries(message: AbstractIncomingMessage) -> int:
    counts = [message.headers.get(name) for name in BROKERS[3:]]
    return max((count for count in counts if isinstance(count, int)), default=0)


async def state(amqp: AbstractConnection, name: str) -> QueueState:
    """Ask for the state of a queue, over a channel of its own."""
    channel = await amqp.channel(publisher_confirms=False)
    try:
        queue = (await channel.declare_queue(name, passive=True)).declaration_result
    except ChannelNotFoundEntity:
        return QueueState(None, None)
    await channel.close()
    return QueueState(queue.message_count, queue.consumer_count)
