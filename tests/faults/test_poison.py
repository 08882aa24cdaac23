"""A message that kills its worker each time cannot stop the others (design.md, invariant 1)."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

import orjson
import pytest

from bridge import wiring
from bridge.settings import Settings
from deploy.dev.processes import ProcessFailed
from tests.support.processes import Running, worker_process
from tests.support.statements import completed
from tests.support.storage import storage
from tests.support.stream import dead_bodies, patient, publish

FRAGILE = """
import os, sys
from consumers import worker
whole = worker.read_delivery
def read_delivery(message, *rest):
    if b"poison" in message.body:
        os.kill(os.getpid(), 9)
    return whole(message, *rest)
worker.read_delivery = read_delivery
from bridge.cli import main
sys.argv = ["cpd-bridge", "worker"]
main()
"""
"""The worker, with one word that kills it at once, as too much memory would."""

DEATHS = 30


@pytest.mark.timeout(240)
async def test_a_message_that_kills_cannot_stop_the_rest(faulty: Settings, tmp_path: Path) -> None:
    """With a poisonous message among others, all others are recorded, and so are those that come later."""
    settings = Settings.model_validate({**faulty.model_dump(exclude_unset=True), "batch_size": 4})
    worker = worker_process(settings, tmp_path)
    worker.process.argv = [sys.executable, "-c", FRAGILE]
    good = [orjson.dumps(completed("1", f"course/{number}")) for number in range(10)]
    later = [orjson.dumps(completed("1", f"later/{number}")) for number in range(5)]
    await publish(settings, [*good[:2], b"poison", *good[2:]])
    async with wiring.services(patient(settings)) as services:
        await _reached(services, len(good), worker)
        await publish(settings, later)
        await _reached(services, len(good) + len(later), worker)
    worker.kill()
    assert await dead_bodies(settings, 0) == set()


async def _reached(services: wiring.Services, count: int, worker: Running) -> None:
    """Start the worker again whenever it has died, until so many are recorded."""
    for _ in range(DEATHS):
        await asyncio.to_thread(worker.start, wait=False)
        while await _lives(worker):
            await asyncio.sleep(0.1)  # another process works; the ledger is the only sign of it
            if await storage(services).statements.count({"disposition": "recorded"}) == count:
                return
    raise AssertionError(f"{DEATHS} deaths: {await storage(services).statements.count()} statements")


async def _lives(worker: Running) -> bool:
    try:
        await asyncio.to_thread(worker.process.check)
    except ProcessFailed:
        return False
    return True
