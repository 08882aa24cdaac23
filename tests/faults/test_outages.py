"""An outage spends nothing: work waits and resumes by itself, and a stop settles what is in hand (invariant 7)."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from urllib.parse import urlsplit

import orjson
import pytest
from aio_pika.abc import AbstractChannel

from bridge import wiring
from bridge.broker.connection import connection
from bridge.settings import Settings
from deploy.dev.client import is_ready
from deploy.dev.service import Service
from deploy.dev.services import DevServices
from tests.support.processes import worker_process
from tests.support.proxy import Proxy, proxy
from tests.support.scrape import Page, scraped_until
from tests.support.statements import completed
from tests.support.storage import storage
from tests.support.stream import MEMBERS, Stream, dead_bodies, prove, publish


def _through(url: str, port: int) -> str:
    parts = urlsplit(url)
    return parts._replace(netloc=f"{parts.netloc.rpartition(':')[0]}:{port}").geturl()


def _directly(url: str) -> str:
    """The URL of a store that is not to be asked for the other members of its replica set, past the proxy."""
    return f"{url}{'&' if urlsplit(url).query else '?'}directConnection=true"


@asynccontextmanager
async def _between(settings: Settings, services: DevServices) -> AsyncGenerator[tuple[Settings, Proxy, Proxy]]:
    """Settings that lead to the broker and the store through a proxy each."""
    amqp, mongo = urlsplit(services.amqp_url), urlsplit(services.mongo_url)
    async with (
        proxy(str(amqp.hostname), amqp.port or 5672) as to_broker,
        proxy(str(mongo.hostname), mongo.port or 27017) as to_store,
    ):
        through = {
            "amqp_url": _through(services.amqp_url, to_broker.port),
            "mongo_url": _directly(_through(services.mongo_url, to_store.port)),
        }
        yield Settings.model_validate({**settings.model_dump(exclude_unset=True), **through}), to_broker, to_store


async def _until(ready: bool, port: int) -> None:
    async with asyncio.timeout(30):
        while await asyncio.to_thread(is_ready, f"http://127.0.0.1:{port}") is not ready:
            await asyncio.sleep(0.1)  # another process says it over HTTP only


async def test_connections_cut_and_stalled_lose_nothing(faulty: Settings, victims: DevServices, tmp_path: Path) -> None:
    """Broken and stalled connections to the broker and the store, mid-work, change nothing of the outcome."""
    stream = Stream(seed=11)
    stream.grow(400)
    async with _between(faulty, victims) as (through, to_broker, to_store):
        worker = worker_process(through, tmp_path)
        await asyncio.to_thread(worker.start)
        publishing = asyncio.create_task(publish(faulty, stream.bodies, per_second=400))
        for number in range(6):
            await asyncio.sleep(0.2)  # the moment of the fault
            (to_broker if number % 2 else to_store).cut()
        async with to_broker.stalled():
            await asyncio.sleep(0.5)  # how long nothing passes
        async with to_store.stalled():
            await asyncio.sleep(0.5)
        await publishing
        await prove(faulty, stream, within=90)
        await asyncio.to_thread(worker.stop)


async def test_a_store_that_is_away_is_waited_for(faulty: Settings, victims: DevServices, tmp_path: Path) -> None:
    """With the store away the worker is not ready, dead-letters nothing, and goes on when it is back."""
    worker = worker_process(faulty, tmp_path)
    await asyncio.to_thread(worker.start)
    await asyncio.to_thread(victims.mongo.kill)
    bodies = [orjson.dumps(completed(str(number % MEMBERS), f"course/{number}")) for number in range(300)]
    await publish(faulty, bodies)
    await _until(False, worker.port)
    await asyncio.to_thread(victims.mongo.start)
    await _until(True, worker.port)
    async with wiring.services(faulty) as services, asyncio.timeout(60):
        while await storage(services).statements.count({"disposition": "recorded"}) < len(bodies):
            await asyncio.sleep(0.1)  # another process works; the ledger is the only sign of it
    await asyncio.to_thread(worker.stop)
    assert await dead_bodies(faulty, 0) == set()


async def test_the_meter_tells_of_an_outage_and_reads_on_afterwards(
    faulty: Settings, victims: DevServices, tmp_path: Path
) -> None:
    """While the broker or the store is away, the part that reads it says so and the other works; then both are true."""
    worker = worker_process(faulty, tmp_path)
    await asyncio.to_thread(worker.start)
    victim: Service
    for victim, dependent, part, second in (
        (victims.broker, "broker", "queue_readings", "store_readings"),
        (victims.mongo, "store", "store_readings", "queue_readings"),
    ):
        await scraped_until(worker.port, partial(_is_in, part, "working"))
        await asyncio.to_thread(victim.kill)
        page = await scraped_until(worker.port, partial(_is_in, part, dependent))
        assert _is_in(second, "working", page)
        await asyncio.to_thread(victim.start)
    await _until(True, worker.port)
    await publish(faulty, [b"rubbish", orjson.dumps(completed("a stranger"))])
    await scraped_until(
        worker.port,
        lambda page: (
            page.value("cpd_bridge_queue_messages", queue="dead_letters") == 1 == page.value("cpd_bridge_parked")
        ),
    )
    await asyncio.to_thread(worker.stop)


def _is_in(part: str, state: str, page: Page) -> bool:
    return page.value("cpd_bridge_part_state", part=part, state=state) == 1


async def test_a_deleted_queue_is_declared_again(faulty: Settings, tmp_path: Path) -> None:
    """Deleting the queue under the worker only makes it start over."""
    worker = worker_process(faulty, tmp_path)
    await asyncio.to_thread(worker.start)
    names = wiring.topology(faulty)
    async with connection(faulty, "test") as broker:
        channel = await broker.channel()
        await channel.queue_delete(names.completions)
        async with asyncio.timeout(30):
            while not await _exists(await broker.channel(), names.completions):
                await asyncio.sleep(0.1)  # the broker gives no event for it
    stream = Stream(seed=3)
    stream.grow(40)
    await publish(faulty, stream.bodies)
    await prove(faulty, stream, within=60)
    await asyncio.to_thread(worker.stop)


async def _exists(channel: AbstractChannel, queue: str) -> bool:
    try:
        await channel.declare_queue(queue, passive=True)
    except Exception:  # a missing queue closes the channel, by an error of several kinds
        return False
    return True


@pytest.mark.parametrize("batch", [7, 500])
async def test_a_stop_settles_what_is_in_hand(faulty: Settings, tmp_path: Path, batch: int) -> None:
    """SIGTERM in the middle of the work: the worker ends in order, and another one does the rest, nothing twice."""
    settings = Settings.model_validate({**faulty.model_dump(exclude_unset=True), "batch_size": batch})
    stream = Stream(seed=5)
    stream.grow(150)
    await publish(settings, stream.bodies)
    first = worker_process(settings, tmp_path, "first")
    await asyncio.to_thread(first.start)
    await asyncio.to_thread(first.stop)
    second = worker_process(settings, tmp_path, "second")
    await asyncio.to_thread(second.start)
    await prove(settings, stream, within=60)
    await asyncio.to_thread(second.stop)
