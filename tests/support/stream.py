"""A stream of statements whose every outcome is known beforehand, and the proof that each came true."""

from __future__ import annotations

import asyncio
import random
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import orjson
from aio_pika.abc import AbstractChannel

from bridge import wiring
from bridge.broker.connection import connection
from bridge.broker.publisher import Outgoing, publisher
from bridge.domain.statements.ledger import LedgerRow
from bridge.errors import Unavailable
from bridge.settings import Settings
from consumers.consumer import Backoff
from tests.support.statements import completed, voided
from tests.support.storage import storage

MEMBERS = 20
PER_MESSAGE = 3
AT_ONCE = 50
LOOKED_UP_AT_ONCE = 300  # the embedded store takes seconds for thousands of ids in one query


@dataclass
class Stream:
    """What is published, and what must come of it: statement id → dispositions, and the bodies of dead letters."""

    seed: int
    bodies: list[bytes] = field(default_factory=list[bytes])
    expected: dict[str, str] = field(default_factory=dict[str, str])
    entries: set[str] = field(default_factory=set[str])
    dead: set[bytes] = field(default_factory=set[bytes])

    def __post_init__(self) -> None:
        self._random = random.Random(self.seed)
        self._number = 0

    def grow(self, count: int) -> None:
        """Add messages of every kind, in a random order, some of them twice."""
        bodies = [body for _ in range(count) for body in self._message()]
        bodies += self._random.sample(bodies, len(bodies) // 10)
        self._random.shuffle(bodies)
        self.bodies += bodies

    def _message(self) -> Iterator[bytes]:
        kind = self._random.choices(["good", "array", "ignored", "invalid", "not json", "voided"], [60, 8, 8, 8, 8, 8])[
            0
        ]
        if kind == "good":
            yield orjson.dumps(self._good())
        elif kind == "array":
            yield orjson.dumps([self._good() for _ in range(PER_MESSAGE)])
        elif kind == "ignored":
            statement = self._statement(result={"completion": False})
            self.expected[statement["id"]] = "ignored"
            yield orjson.dumps(statement)
        elif kind == "voided":
            yield from self._voided()
        else:
            body = orjson.dumps({"n": uuid.UUID(int=self._random.getrandbits(128))}) + b"!" * (kind == "not json")
            self.dead.add(body)
            yield body

    def _voided(self) -> Iterator[bytes]:
        statement = self._statement()
        voiding = {**voided(statement["id"]), "id": self._id()}
        self.expected[statement["id"]] = self.expected[voiding["id"]] = "withdrawn"
        yield from (orjson.dumps(statement), orjson.dumps(voiding))

    def _good(self) -> dict[str, Any]:
        statement = self._statement()
        self.expected[statement["id"]] = "recorded"
        self.entries.add(statement["id"])
        return statement

    def _statement(self, **extra: Any) -> dict[str, Any]:
        self._number += 1
        name = str(self._random.randrange(MEMBERS))
        return {**completed(name, f"course/{self._number}", **extra), "id": self._id()}

    def _id(self) -> str:
        return str(uuid.UUID(int=self._random.getrandbits(128), version=4))


async def publish(settings: Settings, bodies: list[bytes], per_second: float | None = None) -> None:
    """Publish every body, again when a confirm did not come, until the broker has all of them."""
    exchange = wiring.topology(settings).statements
    unsent = [Outgoing(exchange, "statement.completed", body, correlation_id=uuid.uuid4().hex) for body in bodies]
    pauses = Backoff()
    while unsent:
        try:
            async with publisher(settings, "stream") as out:
                while unsent:
                    await out.publish(unsent[:AT_ONCE])
                    unsent = unsent[AT_ONCE:]
                    pauses.reset()
                    if per_second:
                        await asyncio.sleep(AT_ONCE / per_second)  # the pace is the load, not a wait for something
        except Unavailable:
            await pauses.wait()


def patient(settings: Settings) -> Settings:
    """Settings for one who looks on: a store that recovers from a kill may take long to answer."""
    return settings.model_copy(update={"mongo_timeout": 20.0})


async def prove(settings: Settings, stream: Stream, within: float) -> None:
    """Wait until the ledger is whole, then compare everything with what was to come of it."""
    async with wiring.services(patient(settings)) as services:
        async with asyncio.timeout(within):
            open_ids = list(stream.expected)
            while open_ids := await _differing(services, stream, open_ids):
                await asyncio.sleep(0.2)  # other processes work; the ledger is the only sign of it
            while (await services.stores.outbox.lag()).count:
                await asyncio.sleep(0.2)  # as above
        live = await storage(services).log_entries.all({"deleted_at": None})
        logged_ids = [entry["provenance"]["statement_ids"][0] for entry in live]
    assert sorted(logged_ids) == sorted(stream.entries), "the log holds exactly the expected entries"
    assert await dead_bodies(settings, len(stream.dead)) == stream.dead, "and the dead letters exactly the bad ones"
    announced_ids = {orjson.loads(body)["data"]["statement_id"] for body in await _bodies(settings, heard(settings), 1)}
    assert stream.entries <= announced_ids, "each draft was announced"


async def _differing(services: wiring.Services, stream: Stream, expected: list[str]) -> list[str]:
    """Which of these statements do not have the foretold disposition yet; that one is final."""
    differing: list[str] = []
    for start in range(0, len(expected), LOOKED_UP_AT_ONCE):
        chunk = expected[start : start + LOOKED_UP_AT_ONCE]
        rows = await services.stores.lrs_ledger.rows_of(chunk)
        differing += [
            key for key in chunk if rows.get(key, LedgerRow(_id=key)).get("disposition") != stream.expected[key]
        ]
    return differing


def heard(settings: Settings) -> str:
    """Name the queue that hears every ``log.drafted``."""
    return f"{settings.amqp_namespace}heard"


async def listen(settings: Settings, channel: AbstractChannel) -> None:
    """Declare the queue that hears what is announced, to outlive a broker that is killed."""
    queue = await channel.declare_queue(heard(settings), durable=True, arguments={"x-queue-type": "quorum"})
    await queue.bind(wiring.topology(settings).events, "log.drafted")


async def dead_bodies(settings: Settings, at_least: int) -> set[bytes]:
    """Return the distinct bodies among the dead letters, once there are as many as expected and the queue is still."""
    return await _bodies(settings, wiring.topology(settings).dead_queue, at_least)


async def _bodies(settings: Settings, name: str, at_least: int) -> set[bytes]:
    bodies: set[bytes] = set()
    async with connection(settings, "looking on") as broker:
        queue = await (await broker.channel()).get_queue(name)
        quiet = 0
        while quiet < 5 or len(bodies) < at_least:
            message = await queue.get(no_ack=True, fail=False)
            quiet = quiet + 1 if message is None else 0
            if message is None:
                await asyncio.sleep(0.1)  # the last batch may still be on its way
            else:
                bodies.add(message.body)
            if quiet > 100:
                break
    return bodies
