"""A person's saves over HTTP on members whose completions are being written at that very moment, under a backlog."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass, field

import aiohttp

from bridge.tokens import dev_token
from tests.benchmarks.measured import WORKER, Backlog, children, written
from tests.benchmarks.world import World
from tests.support.portal import full_entry
from tests.support.processes import api_process
from tests.support.scrape import scrape
from tests.support.stream import publish

TOGETHER = 4
"""Persons who save at once, each a member of the batch that is written then."""

OFTEN = 0.005
"""Seconds between two looks at what is written."""


@dataclass
class Saves:
    """Milliseconds of each save, how many were refused, and how often transactions were run again by whom."""

    times: list[float] = field(default_factory=list[float])
    failed: int = 0
    api_conflicts: float = 0
    worker_conflicts: float = 0


@dataclass(frozen=True)
class Person:
    """A member with an entry to save."""

    session: aiohttp.ClientSession
    headers: dict[str, str]
    entry_id: str
    etag: str

    async def save(self, into: Saves) -> None:
        """Save the entry, and note how that went."""
        start = time.monotonic()
        body = {"title": "A day on grief, and what came of it"}
        headers = {**self.headers, "If-Match": self.etag}
        async with self.session.patch(f"/v1/log/{self.entry_id}", json=body, headers=headers) as answer:
            await answer.read()
            into.failed += answer.status != 200
        into.times.append((time.monotonic() - start) * 1000)


async def _person(world: World, session: aiohttp.ClientSession, member_id: str) -> Person:
    headers = {"Authorization": f"Bearer {dev_token(world.settings.local_dir, member_id, ['member'])}"}
    async with session.post("/v1/log", json=full_entry(), headers=headers, raise_for_status=True) as answer:
        return Person(session, headers, (await answer.json())["id"], answer.headers["ETag"])


async def saves(world: World, backlog: Backlog, rounds: int) -> Saves:
    """Queue a backlog, start the worker, and save ``rounds`` times where it writes just then.

    When a statement is in the log, the batch after its own is on its way: the statement that many further on is in it,
    and those shortly before that one mostly are.
    """
    batch, entry_ids, timings = world.settings.batch_size, backlog.entry_ids(), Saves()
    step = (len(entry_ids) - 4 * batch) // rounds
    thresholds = [batch + step * number for number in range(rounds)]
    members = [[backlog.members[at + batch - n * batch // 8] for n in range(TOGETHER)] for at in thresholds]
    api = api_process(world.settings, world.directory, BRIDGE_LOG_LEVEL="warning")
    api.start()
    try:
        async with aiohttp.ClientSession(f"http://127.0.0.1:{api.port}") as session:
            persons = [[await _person(world, session, f"m-{member}") for member in together] for together in members]
            await publish(world.settings, backlog.statements)
            async with children(world, WORKER) as (worker,):
                for at, together in zip(thresholds, persons, strict=True):
                    await written(world, entry_ids[at : at + 1], OFTEN)
                    await asyncio.gather(*[person.save(timings) for person in together])
                await written(world, entry_ids[-2 * batch :])
                timings.worker_conflicts = await worker.conflicts()
                timings.api_conflicts = (await scrape(api.port)).value("cpd_bridge_store_conflicts_total") or 0
        return timings
    finally:
        api.stop()
