"""Sends messages through a real worker, broker and store, and waits for what became of each."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import aio_pika
import orjson
from aio_pika.abc import AbstractChannel, AbstractIncomingMessage

from bridge import wiring
from bridge.broker.connection import connection
from bridge.broker.publisher import Outgoing, Publisher
from bridge.domain.members.messages import MemberIn
from bridge.domain.statements.dispositions import Outcome
from bridge.settings import Settings
from consumers.dead_letter_mirror import DeadLetterMirror
from consumers.worker import Delivery, Worker
from tests.support.databases import prepare
from tests.support.storage import storage


@dataclass
class Journey:
    """A running worker with its services; ``outcomes`` holds correlation id → outcomes, one per statement."""

    settings: Settings
    services: wiring.Services
    channel: AbstractChannel
    outcomes: dict[str, list[Outcome]] = field(default_factory=dict[str, list[Outcome]])
    _settlement: asyncio.Condition = field(default_factory=asyncio.Condition)

    @property
    def topology(self) -> Any:
        """The names on the broker."""
        return wiring.topology(self.settings)

    def report(self, deliveries: Sequence[Delivery]) -> None:
        """Take the worker's word for what it settled."""
        for delivery in deliveries:
            outcomes = self.outcomes.setdefault(delivery.origin.correlation_id, [])
            outcomes += [piece.outcome for piece in delivery.pieces if piece.outcome]
        asyncio.get_running_loop().call_soon(lambda: asyncio.ensure_future(self._notify()))

    async def _notify(self) -> None:
        async with self._settlement:
            self._settlement.notify_all()

    async def add_member(self, member_id: str, body: dict[str, Any]) -> None:
        """Make a member known."""
        await self.services.members.put(member_id, MemberIn.model_validate(body))

    async def publish(self, bodies: Sequence[Any], key: str = "statement.completed", **options: Any) -> list[str]:
        """Publish each body (bytes as they are, anything else as JSON); returns their correlation ids."""
        raw = [body if isinstance(body, bytes) else orjson.dumps(body) for body in bodies]
        messages = [
            Outgoing(self.topology.statements, key, body, correlation_id=uuid.uuid4().hex, **options) for body in raw
        ]
        await Publisher(self.channel).publish(messages)
        return [str(message.correlation_id) for message in messages]

    async def settled(self, correlation_ids: Sequence[str], within: float = 60) -> list[list[Outcome]]:
        """Wait until each message is settled; returns the outcomes of each one's statements."""
        async with asyncio.timeout(within), self._settlement:
            await self._settlement.wait_for(lambda: all(key in self.outcomes for key in correlation_ids))
        return [self.outcomes[key] for key in correlation_ids]

    async def settled_messages(self, count: int, within: float = 60) -> None:
        """Wait until so many messages are settled, whoever published them."""
        async with asyncio.timeout(within), self._settlement:
            await self._settlement.wait_for(lambda: len(self.outcomes) >= count)

    async def send(self, *bodies: Any, **options: Any) -> list[Outcome]:
        """Publish bodies of one statement each and return their outcomes."""
        return [outcomes[0] for outcomes in await self.settled(await self.publish(bodies, **options))]

    async def dead_letters(self) -> list[AbstractIncomingMessage]:
        """Take every dead letter off its queue."""
        queue = await self.channel.get_queue(self.topology.dead_queue)
        letters: list[AbstractIncomingMessage] = []
        while (message := await queue.get(no_ack=True, fail=False)) is not None:
            letters.append(message)
        return letters

    async def log(self, member_id: str) -> list[dict[str, Any]]:
        """Every live entry of a member as it is stored, oldest date first."""
        live = await storage(self.services).log_entries.all({"member_id": member_id, "deleted_at": None})
        return sorted(live, key=lambda entry: entry["date"] or "")


@asynccontextmanager
async def journey(settings: Settings) -> AsyncGenerator[Journey]:
    """Run a worker in this process meanwhile."""
    async with wiring.services(settings) as services, connection(settings, "test") as broker:
        await prepare(services)
        channel = await broker.channel(publisher_confirms=True, on_return_raises=True)
        live_journey = Journey(settings, services, channel)
        await live_journey.topology.declare(channel)
        worker = Worker(settings, live_journey.topology, services.recording, live_journey.report)
        task = asyncio.create_task(worker.run())
        try:
            yield live_journey
        finally:
            worker.stop()
            await task


@asynccontextmanager
async def mirroring(bridge: Journey) -> AsyncGenerator[None]:
    """Keep the mirror of the dead letters meanwhile, as the worker's process does."""
    mirror = DeadLetterMirror(bridge.settings, bridge.topology, bridge.services.operations)
    task = asyncio.create_task(mirror.run())
    async with asyncio.timeout(30):
        while mirror.state != "working":
            await asyncio.sleep(0.01)
    try:
        yield
    finally:
        mirror.stop()
        await task


async def publish_raw(settings: Settings, exchange: str, key: str, body: bytes, **options: Any) -> None:
    """Publish one message over a connection of its own."""
    async with connection(settings, "test out") as broker:
        channel = await broker.channel()
        target = await channel.get_exchange(exchange, ensure=False)
        await target.publish(aio_pika.Message(body, **options), key)


def words(outcome: Outcome) -> str:
    """A disposition with its reason, as api.md writes them."""
    return f"{outcome.disposition.value} {outcome.reason.value}" if outcome.reason else outcome.disposition.value
