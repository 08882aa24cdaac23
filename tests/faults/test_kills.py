"""Nothing is lost and nothing is done twice, whatever dies at whatever moment (invariants 1, 2 and 7)."""

from __future__ import annotations

import asyncio
import os
import random
from pathlib import Path

import orjson
import pytest

from bridge import wiring
from bridge.settings import Settings
from deploy.dev.service import Service
from deploy.dev.services import DevServices
from tests.support.processes import Running, worker_process
from tests.support.statements import completed
from tests.support.storage import storage
from tests.support.stream import MEMBERS, Stream, dead_bodies, patient, prove, publish

ROUNDS = int(os.environ.get("FAULT_ROUNDS", "4"))
"""Kills; in the short form one of each process, while ``make faults`` asks for more."""

BATCH = 25
"""Statements of a transaction: what was in hand at two kills is taken alone afterwards, one by one."""


async def _count(services: wiring.Services) -> int:
    """How many entries there are; exact, since nothing here deletes one, and cheap, so that looking holds nobody up."""
    return await storage(services).log_entries.estimate()


@pytest.mark.timeout(1300)
async def test_a_worker_killed_three_times_loses_nothing(faulty: Settings, tmp_path: Path) -> None:
    """The worker is killed -9 three times under a backlog: an entry for each statement, no more, no dead letter."""
    total = 100 * ROUNDS
    settings = Settings.model_validate({**faulty.model_dump(exclude_unset=True), "batch_size": BATCH})
    bodies = [orjson.dumps(completed(str(number % MEMBERS), f"course/{number}")) for number in range(total)]
    worker = worker_process(settings, tmp_path)
    worker.start()
    publishing = asyncio.create_task(publish(settings, bodies))
    async with wiring.services(patient(faulty)) as services:
        for kill_at in (total // 10, total * 4 // 10, total * 7 // 10):
            await _reached(services, kill_at)
            worker.kill()
            assert await _count(services) < total, "it was killed in the middle of the work"
            await _abort_open_transactions(services)
            worker.start()
        await publishing
        await _reached(services, total)
        worker.stop()
        assert await storage(services).log_entries.count({"deleted_at": None}) == total
    assert await dead_bodies(faulty, 0) == set()


async def _abort_open_transactions(services: wiring.Services) -> None:
    """Abort what a dead worker has begun, which the store does by itself within a minute (deployment.md)."""
    await services.stores.database.client.admin.command("killAllSessions", [])


async def _reached(services: wiring.Services, count: int) -> None:
    async with asyncio.timeout(400):
        while await _count(services) < count:
            await asyncio.sleep(0.1)  # another process works; the store is the only sign of it


@pytest.mark.timeout(60 + 30 * ROUNDS)
async def test_the_ledger_is_whole_after_random_kills(faulty: Settings, victims: DevServices, tmp_path: Path) -> None:
    """Worker, broker and store die by SIGKILL at random moments under a stream; every outcome is as foretold."""
    chance = random.Random(20261122)
    stream = Stream(seed=7)
    stream.grow(120 * ROUNDS)
    workers = [worker_process(faulty, tmp_path, name) for name in ("one", "two")]
    for worker in workers:
        worker.start()
    publishing = asyncio.create_task(publish(faulty, stream.bodies, per_second=250))
    processes = [*workers, victims.broker, victims.mongo]
    for turn in range(0, ROUNDS, len(processes)):
        for victim in chance.sample(processes, min(len(processes), ROUNDS - turn)):
            await asyncio.sleep(chance.uniform(0.1, 0.8))  # the random moment
            await asyncio.to_thread(_kill_and_start, victim)
    await publishing
    await prove(faulty, stream, within=120 + 2 * ROUNDS)  # each kill leaves messages to be taken alone
    for worker in workers:
        await asyncio.to_thread(worker.stop)


def _kill_and_start(victim: Running | Service) -> None:
    victim.kill()
    victim.start()
