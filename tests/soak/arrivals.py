"""The statements of a soak: a steady stream of known composition, and how long a draft takes to be there."""

from __future__ import annotations

import asyncio
import random
import time
import uuid
from collections import Counter, deque
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import orjson

from bridge import wiring
from bridge.broker.publisher import Outgoing, Publisher, publisher
from bridge.settings import Settings
from tests.support.statements import completed, voided
from tests.support.storage import storage

TICK = 0.1
"""Seconds between two bursts."""

PROBE_EVERY = 2.0
"""Seconds between two statements whose draft is waited for."""

KINDS = {"recorded": 915, "duplicate": 30, "ignored": 40, "parked": 10, "withdrawn": 5}
"""What comes, in parts of a thousand; ``withdrawn`` is a statement and another that voids it."""


@dataclass
class Arrivals:
    """Publishes at a rate; ``expected`` counts the dispositions that must come of it, ``late`` milliseconds."""

    settings: Settings
    rate: float
    members: int
    seed: int = 1
    expected: Counter[str] = field(default_factory=Counter[str])
    late: list[float] = field(default_factory=list[float])
    _recent: deque[dict[str, Any]] = field(default_factory=lambda: deque[dict[str, Any]](maxlen=1000))
    _number: int = 0

    def __post_init__(self) -> None:
        self._random = random.Random(self.seed)
        self._exchange = wiring.topology(self.settings).statements

    @property
    def published(self) -> int:
        """How many statements went out."""
        return self.expected.total()

    async def run(self, seconds: float) -> None:
        """Publish for so long, as many as are due at each tick, and hold to the pace when one took longer."""
        async with publisher(self.settings, "soak") as out:
            start = time.monotonic()
            while (elapsed := time.monotonic() - start) < seconds:
                batch: list[Outgoing] = []
                while self.published < elapsed * self.rate:
                    batch += [self._outgoing(statement) for statement in self._next()]
                if batch:
                    await out.publish(batch)
                await asyncio.sleep(max(0.0, TICK - (time.monotonic() - start - elapsed)))

    def _next(self) -> list[dict[str, Any]]:
        kind = self._random.choices(list(KINDS), list(KINDS.values()))[0]
        if kind == "duplicate" and not self._recent:
            kind = "recorded"
        self.expected[kind] += 2 if kind == "withdrawn" else 1
        if kind == "duplicate":
            return [self._random.choice(self._recent)]
        if kind == "ignored":
            return [self._statement(result={"completion": False})]
        if kind == "parked":
            self._number += 1
            return [completed(f"nobody-{self._number}", f"course/{self._number}")]
        statement = self._statement()
        if kind == "withdrawn":
            return [statement, voided(statement["id"])]
        self._recent.append(statement)
        return [statement]

    def _statement(self, **extra: Any) -> dict[str, Any]:
        self._number += 1
        return completed(str(self._random.randrange(self.members)), f"course/{self._number}", **extra)

    def _outgoing(self, statement: dict[str, Any]) -> Outgoing:
        return Outgoing(self._exchange, "statement.completed", orjson.dumps(statement), correlation_id=uuid.uuid4().hex)

    async def probe(self, services: wiring.Services) -> None:
        """Until cancelled, send a statement now and then and time it until its draft is in the store."""
        async with publisher(self.settings, "soak probe") as out:
            while True:
                self.late.append(await self._probed(services, out))
                await asyncio.sleep(PROBE_EVERY)

    async def _probed(self, services: wiring.Services, out: Publisher) -> float:
        statement = completed("0", f"probe/{uuid.uuid4()}")
        sent_at = time.monotonic()
        await out.publish([self._outgoing(statement)])
        self.expected["recorded"] += 1
        entries = storage(services).log_entries
        row_filter = {"member_id": "m-0", "provenance.activity_id": statement["object"]["id"]}
        while not await entries.has(row_filter):
            await asyncio.sleep(0.02)
        return (time.monotonic() - sent_at) * 1000

    @asynccontextmanager
    async def probing(self, services: wiring.Services) -> AsyncGenerator[None]:
        """Probe meanwhile."""
        async with asyncio.TaskGroup() as group:
            task = group.create_task(self.probe(services))
            yield
            task.cancel()
