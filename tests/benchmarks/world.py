"""A store and a queue of a benchmark's own, with members in it."""

from __future__ import annotations

import os
from collections.abc import AsyncGenerator, Generator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from bridge import wiring
from bridge.broker.connection import connection
from bridge.domain.members.identifiers import id_key, member_keys, owned_identifier
from bridge.domain.members.messages import MemberIn
from bridge.services.members.reminders import TASK
from bridge.settings import Settings, load
from bridge.store import now
from bridge.tokens import DEV_ISSUER, PUBLIC_NAME, dev_key
from deploy.dev import mongo
from tests.support.statements import account, member
from tests.support.storage import Storage
from tests.support.topologies import delete_topology

INSERTED_AT_ONCE = 1000

CACHE = '[storage]\ncache_size = "8G"\n'
"""The embedded store's cache, by its own configuration: a million members, with an entry each, take 5 GB of memory."""


@dataclass(frozen=True)
class World:
    """The settings of every process, and services to look on with."""

    settings: Settings
    services: wiring.Services
    directory: Path

    @property
    def storage(self) -> Storage:
        """What is stored."""
        return Storage(self.services.stores.database)


@asynccontextmanager
async def world(amqp_url: str, directory: Path, name: str, members: int) -> AsyncGenerator[World]:
    """Make the indexes, the queue, and the members ``m-0`` and so on."""
    with a_store(directory / name) as mongo_url:
        async with _filled(mongo_url, amqp_url, directory, name, members) as filled_world:
            yield filled_world


@contextmanager
def a_store(directory: Path) -> Generator[str]:
    """Give the store that ``BENCH_MONGO_URL`` names, else an embedded one, which forgets nothing that was dropped."""
    if url := os.environ.get("BENCH_MONGO_URL"):
        yield url
        return
    directory.mkdir(parents=True, exist_ok=True)
    mongo.config_file(directory).write_text(CACHE, encoding="utf-8")
    store = mongo.find(None, directory, directory)
    store.start()
    try:
        yield store.url
    finally:
        store.stop()


@asynccontextmanager
async def _filled(mongo_url: str, amqp_url: str, directory: Path, name: str, members: int) -> AsyncGenerator[World]:
    dev_key(directory)
    settings = load(
        mongo_url=mongo_url,
        mongo_database=f"bench_{name}",
        amqp_url=amqp_url,
        amqp_namespace=f"bench-{name.replace('_', '-')}.",
        auth_issuer=DEV_ISSUER,
        auth_key_file=directory / PUBLIC_NAME,
        local_dir=directory,
        rate_limit="",
    )
    async with wiring.services(settings) as services, connection(settings, "bench") as broker:
        channel = await broker.channel()
        await wiring.topology(settings).declare(channel)
        await services.migrations.run()
        await _put_members(services, members)
        await _look_for_endings(services, settings)
        yield World(settings, services, directory)
        await delete_topology(wiring.topology(settings), channel)
        if "BENCH_MONGO_URL" in os.environ:
            await services.stores.database.client.drop_database(settings.mongo_database)


async def _look_for_endings(services: wiring.Services, settings: Settings) -> None:
    """Note that the day's search for years that end is done: else the worker does it beside what is measured."""
    schedules, day = services.stores.schedules, f"{datetime.now(settings.zone):%Y-%m-%d}"
    await schedules.claim(TASK, day, now(), timedelta(0))
    await schedules.done(TASK, day)


async def _put_members(services: wiring.Services, count: int) -> None:
    """Bring one member as the membership system does, and insert the others as copies of what that made."""
    rows = Storage(services.stores.database)
    await services.members.put("m-0", MemberIn.model_validate(member("0")))
    template = await rows.members.get("m-0")
    secret = await services.stores.erasure_key.get()
    for start in range(1, count, INSERTED_AT_ONCE):
        members = [_copy(template, number) for number in range(start, min(start + INSERTED_AT_ONCE, count))]
        await rows.members.insert_many(members)
        await rows.identifiers.insert_many(
            [{**owned_identifier(key, document["_id"], secret)} for document in members for key in document["keys"]]
        )


def _copy(template: dict[str, Any], number: int) -> dict[str, Any]:
    member_id, identifiers = f"m-{number}", [account(str(number))]
    keys = [id_key(member_id), *member_keys(identifiers)]
    return {**template, "_id": member_id, "identifiers": identifiers, "keys": keys}
