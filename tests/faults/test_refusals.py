"""A store that answers with errors, or whose disk is full, is an outage: waited for, told, and no statement's fault."""

from __future__ import annotations

import asyncio
import os
import subprocess
import uuid
from collections.abc import Generator
from contextlib import suppress
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import aiohttp
import orjson
import pytest
from pydantic import SecretStr
from pymongo.errors import PyMongoError

from bridge import wiring
from bridge.broker.publisher import Outgoing, publisher
from bridge.domain.members.messages import MemberIn
from bridge.settings import Settings
from bridge.store import Database
from deploy.dev import mongo
from deploy.dev.services import DevServices
from tests.support.processes import Running, worker_process
from tests.support.refusals import How, refusing_store
from tests.support.statements import completed, member
from tests.support.storage import storage
from tests.support.stream import Stream, dead_bodies, prove, publish

REFUSALS: list[tuple[int, How, str]] = [
    (18, "command", "login refused"),
    (13, "command", "not allowed"),
    (14031, "command", "disk full"),
    (14031, "write", "disk full"),
    (50, "command", "too slow"),
    (1, "command", "error 1"),
    (8, "write", "error 8"),
    (64, "concern", "no majority"),
    (987654, "command", "error 987654"),
]
"""Error code, where the answer has it, and how readiness tells of it; nobody has ever seen the last one."""


async def _until(worker: Running, expected: dict[str, str | None]) -> None:
    """Wait until readiness tells of these parts so: why they are down, or None when they are up."""
    answers: dict[str, Any] = {}
    try:
        async with asyncio.timeout(30), aiohttp.ClientSession() as session:
            while {part: answers.get(part, {}).get("detail") for part in expected} != expected:
                await asyncio.sleep(0.05)  # another process says it over HTTP only
                async with session.get(f"http://127.0.0.1:{worker.port}/health/ready") as answer:
                    answers = (await answer.json())["dependencies"]
                    assert "hunter2" not in await answer.text()
    except TimeoutError:
        raise AssertionError(answers) from None


def _waiting(why: str | None) -> dict[str, str | None]:
    waits = why and "waiting for store"
    return {"mongodb": why, "rabbitmq": waits, "members": waits, "dead_letters": waits, "events_out": waits}


async def test_a_store_that_answers_with_errors_is_waited_for(
    faulty: Settings, victims: DevServices, tmp_path: Path
) -> None:
    """Each refusal makes every consumer wait, and says why; nothing is dead-lettered, lost or done twice."""
    address = urlsplit(victims.mongo_url)
    stream = Stream(seed=23)
    async with refusing_store(str(address.hostname), address.port or 27017) as store:
        url = f"mongodb://127.0.0.1:{store.port}/?retryWrites=false&directConnection=true"
        through = faulty.model_copy(update={"mongo_url": SecretStr(url)})
        worker = worker_process(through, tmp_path, BRIDGE_MONGO_URL=url, BRIDGE_MAX_ATTEMPTS="1")
        await asyncio.to_thread(worker.start)
        for number, (code, how, why) in enumerate(REFUSALS):
            first = len(stream.bodies)
            stream.grow(10)
            stream.dead.add(b"a letter %d" % number)
            with store.refusing(code, how):
                await publish(faulty, stream.bodies[first:])
                await _send_to_the_others(faulty, number)
                await _until(worker, _waiting(why) if how == "command" else {"mongodb": why})
            await _until(worker, _waiting(None))
        await prove(faulty, stream, within=60)
        await asyncio.to_thread(worker.stop)
    async with wiring.services(faulty) as services:
        assert all([await services.members.get(f"new-{number}") for number in range(len(REFUSALS))])


async def _send_to_the_others(settings: Settings, number: int) -> None:
    """Give the feed a member, and the mirror a dead letter."""
    names, body = wiring.topology(settings), {"member_id": f"new-{number}", "revision": 1, **member(f"new-{number}")}
    async with publisher(settings, "membership") as out:
        change = Outgoing(names.membership, "member.upserted", orjson.dumps(body))
        await out.publish([change, Outgoing(names.dead_letters, "", b"a letter %d" % number)])


@pytest.fixture
def small_disk(tmp_path: Path) -> Generator[Path]:
    """A file system of 160 MB, in memory."""
    directory = tmp_path / "disk"
    directory.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=160m", "tmpfs", str(directory)]
    process = subprocess.run(command, capture_output=True, text=True, check=False)
    if process.returncode:
        pytest.skip(f"a file system cannot be mounted here: {process.stderr.strip()}")
    try:
        yield directory
    finally:
        subprocess.run(["umount", "--lazy", str(directory)], check=True)


async def _fill(directory: Path, database: Database) -> Path:
    """Take all the room that is left, until the store refuses every write.

    The embedded store loses the last that it says it has written; on MongoDB nothing that it has acknowledged is lost.
    """
    filler = directory / "filler"
    with filler.open("wb") as file:
        space = os.statvfs(directory)
        os.posix_fallocate(file.fileno(), 0, space.f_bavail * space.f_frsize)
    with suppress(PyMongoError):
        while True:
            await database.raw["filler"].insert_one({"text": "x" * 2**20})
    return filler


async def test_a_full_disk_is_waited_for(faulty: Settings, small_disk: Path, tmp_path: Path) -> None:
    """Statements that come while the store has no room are recorded once it has; none is dead-lettered."""
    store = mongo.find(None, small_disk, tmp_path)
    await asyncio.to_thread(store.start)
    settings = faulty.model_copy(update={"mongo_url": SecretStr(store.url)})
    worker = worker_process(settings, tmp_path, BRIDGE_MONGO_URL=store.url, BRIDGE_MAX_ATTEMPTS="2")
    try:
        async with wiring.services(settings) as services:
            await services.stores.prepare()
            await services.members.put("m-1", MemberIn.model_validate(member("1")))
            await asyncio.to_thread(worker.start)
            filler = await _fill(small_disk, services.stores.database)
        statements = [_large(number) for number in range(45)]
        await publish(settings, [orjson.dumps(statement) for statement in statements])
        await _until(worker, {"mongodb": "error 1", "rabbitmq": "waiting for store"})
        filler.unlink()
        await asyncio.to_thread(store.kill)  # it does not go on by itself after a panic, nor does MongoDB
        await asyncio.to_thread(store.start)
        async with wiring.services(settings) as services, asyncio.timeout(60):
            while await storage(services).statements.count({"disposition": "recorded"}) < len(statements):
                await asyncio.sleep(0.1)  # another process works; the ledger is the only sign of it
            entries = storage(services).log_entries
            assert await entries.count({"deleted_at": None}) == len(statements)
        await asyncio.to_thread(worker.stop)
    finally:
        worker.kill()
        store.kill()
    assert await dead_bodies(settings, 0) == set()


def _large(number: int) -> dict[str, Any]:
    """A statement of 300 kB."""
    context = {"extensions": {"https://learning.example.org/notes": f"{uuid.uuid4()}" * 8000}}
    return completed("1", f"course/{number}", context=context)
