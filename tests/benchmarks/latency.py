"""Milliseconds from publishing a statement at a steady pace until its draft can be read."""

from __future__ import annotations

import asyncio
import time
import uuid

import orjson

from bridge import wiring
from bridge.broker.publisher import Outgoing, Publisher, publisher
from bridge.domain.record.entries import entry_id
from tests.benchmarks.measured import WORKER, children
from tests.benchmarks.world import World
from tests.support.statements import completed

MEMBERS = 1000


async def latency(world: World, per_second: int, seconds: int) -> list[float]:
    """Publish to a worker that is up; returns the milliseconds of each statement."""
    async with publisher(world.settings, "bench") as out, children(world, WORKER):
        exchange = wiring.topology(world.settings).statements
        await _seen(world, {await _sent(out, exchange, -1): time.monotonic()}, 1)  # the worker is up
        unseen: dict[str, float] = {}
        total = per_second * seconds
        watcher = asyncio.create_task(_seen(world, unseen, total))
        start = time.monotonic()
        for number in range(total):
            await asyncio.sleep(max(0.0, start + number / per_second - time.monotonic()))
            at = time.monotonic()
            unseen[await _sent(out, exchange, number)] = at
        return await watcher


async def _sent(out: Publisher, exchange: str, number: int) -> str:
    """Publish a statement; returns the id that its draft will have."""
    name = str(number % MEMBERS)
    statement = completed(name, f"late/{number}/{uuid.uuid4()}")
    await out.publish([Outgoing(exchange, "statement.completed", orjson.dumps(statement))])
    return entry_id(f"m-{name}", statement["id"])


async def _seen(world: World, unseen: dict[str, float], total: int) -> list[float]:
    """Look for what waits, all in one read as that costs little, until ``total`` were seen; milliseconds each."""
    durations: list[float] = []
    while len(durations) < total:
        entry_ids = await world.storage.log_entries.ids({"_id": {"$in": list(unseen)}})
        now = time.monotonic()
        durations += [(now - unseen.pop(entry_id)) * 1000 for entry_id in entry_ids]
        await asyncio.sleep(0.005)
    return durations
