"""With the store away every list, stream and attachment is 503, and none is a crash (invariant 7)."""

from __future__ import annotations

import asyncio
import inspect
import io
import pkgutil
import re
from collections.abc import AsyncGenerator, Awaitable
from importlib import import_module
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import orjson
import pytest
from aiohttp.test_utils import TestClient
from pydantic import SecretStr

import bridge.store
from bridge import wiring
from bridge.api.app import create_app
from bridge.api.resources import resources
from bridge.domain.lrs.index_keys import StatementQuery
from bridge.errors import Unavailable
from bridge.metrics import exposition
from bridge.serve import parts
from bridge.settings import Settings
from bridge.store import Database, FateQuery, Session
from bridge.tokens import dev_token
from deploy.dev.ports import free_port
from tests.integration.lrs.client import Lrs, agent, new_id
from tests.support.life import with_lrs
from tests.support.portal import Server
from tests.support.proxy import proxy
from tests.support.scrape import read
from tests.support.statements import activity_of

STREAMS: dict[str, tuple[Any, ...]] = {
    "AccessLog.by_subject": ("m-1",),
    "Attachments.read": ("ab",),
    "Dump.batches": ("members", None),
    "Erasures.done": (),
    "Evidence.read": ({"_id": "f", "length": 1},),
    "LrsLedger.find": (StatementQuery(), 1),
    "Members.every": (),
    "StatementSearch.texts": (FateQuery(disposition="ignored", reason="verb"), None),
}
"""What the store gives as a stream, with something to call it with."""

NEEDS_NO_STORE = {"/v1/forms/plan", "/v1/forms/log", "/v1/imports/log/template.csv", "/v1/ops/queues"}
AGENT = orjson.dumps(agent("ada")).decode()
ACTIVITY_ID = activity_of("course/1")["id"]
QUERIES: dict[str, dict[str, str]] = {
    "a list": {},
    "a list by a key": {"verb": "https://verbs.example.org/read"},
    "a list with attachments": {"attachments": "true"},
    "canonical": {"format": "canonical"},
    "one": {"statementId": new_id()},
    "a voided one": {"voidedStatementId": new_id()},
}


@pytest.fixture
def away(settings: Settings, tmp_path: Path) -> Settings:
    """Settings of a store that nobody answers at."""
    url = SecretStr(f"mongodb://127.0.0.1:{free_port()}")
    return with_lrs(settings, tmp_path).model_copy(update={"mongo_url": url, "mongo_timeout": 0.3})


@pytest.fixture
async def client(away: Settings) -> AsyncGenerator[TestClient[Any, Any]]:
    """The API over that store."""
    async with (
        wiring.services(away) as services,
        TestClient(Server(create_app(away, parts(services, away)))) as test_client,
    ):
        yield test_client


def streams() -> dict[str, type]:
    """``Class.method`` → class, for every async generator that a store offers."""
    modules = [import_module(module.name) for module in pkgutil.walk_packages(bridge.store.__path__, "bridge.store.")]
    stores = {kind for module in modules for kind in vars(module).values() if inspect.isclass(kind)}
    return {
        f"{kind.__name__}.{name}": kind
        for kind in stores
        for name, method in vars(kind).items()
        if kind.__module__.startswith("bridge.store") and inspect.isasyncgenfunction(method) and name[0] != "_"
    }


async def test_every_stream_of_the_store(away: Settings) -> None:
    """A cursor that cannot be read says so as any other call does; a stream without a row above fails."""
    kinds = streams()
    assert set(kinds) == set(STREAMS)
    database = Database(away)

    async def read(name: str) -> None:
        store = kinds[name](database)
        with pytest.raises(Unavailable):
            async for _ in getattr(store, name.partition(".")[2])(*STREAMS[name]):
                pass

    await asyncio.gather(*map(read, STREAMS))
    database.close()


async def test_every_read_of_the_portal(away: Settings, client: TestClient[Any, Any], lines: io.BytesIO) -> None:
    """Each GET of each role: lists, single things, exports and files."""
    async with wiring.services(away) as services:
        table = [route for routes in resources(services.forms) for route in routes.table()]

    async def status(path: str, role: str) -> tuple[str, int]:
        token = dev_token(away.local_dir, "m-1", [role])
        real_path = re.sub(r"\{[^}]+\}", "2026-04-01", path)
        async with client.get(real_path, headers={"Authorization": f"Bearer {token}"}) as answer:
            return path, answer.status

    reads = [
        status(route.path, min(route.roles))
        for route in table
        if route.method == "GET" and route.roles and route.path not in NEEDS_NO_STORE
    ]
    assert len(reads) > 30
    assert {path: status for path, status in await asyncio.gather(*reads) if status != 503} == {}
    assert b"crashed" not in lines.getvalue()


async def test_every_read_of_the_lrs(client: TestClient[Any, Any], lines: io.BytesIO) -> None:
    """Statements one by one and as lists, with attachments; activities, agents, and documents."""
    lrs = Lrs(client)
    query = {"activityId": ACTIVITY_ID, "agent": AGENT}
    calls: dict[str, Awaitable[Any]] = {
        **{name: lrs.call("GET", "statements", params) for name, params in QUERIES.items()},
        "activities": lrs.call("GET", "activities", {"activityId": ACTIVITY_ID}),
        "agents": lrs.call("GET", "agents", {"agent": AGENT}),
        "a document": lrs.call("GET", "activities/state", {**query, "stateId": "s"}),
        "documents": lrs.call("GET", "activities/state", query),
        "profiles": lrs.call("GET", "agents/profile", {"agent": AGENT}),
        "activity profiles": lrs.call("GET", "activities/profile", {"activityId": ACTIVITY_ID}),
    }
    answers = dict(zip(calls, await asyncio.gather(*calls.values()), strict=True))
    assert {name: answer.status for name, answer in answers.items() if answer.status != 503} == {}
    assert b"crashed" not in lines.getvalue()


def _conflicts() -> float:
    return read(exposition()[0].decode()).value("cpd_bridge_store_conflicts_total") or 0.0


@pytest.mark.new_database
async def test_a_connection_that_breaks_in_a_transaction_is_an_outage(settings: Settings) -> None:
    """It meets nobody: a batch is not cut into pieces for it, and no conflict is counted."""
    address = urlsplit(settings.mongo_url.get_secret_value())
    async with proxy(str(address.hostname), address.port or 27017) as between:
        url = f"mongodb://127.0.0.1:{between.port}/?directConnection=true&retryWrites=false"
        database = Database(settings.model_copy(update={"mongo_url": SecretStr(url), "mongo_timeout": 1.0}))
        tries, conflicts = 0, _conflicts()

        async def work(session: Session) -> None:
            nonlocal tries
            tries += 1
            await database.collection("members").insert_one({"_id": "m-1"}, session=session)
            async with between.down():  # else a new connection may go on with the transaction
                await database.collection("members").find_one({"_id": "m-1"}, session=session)

        with pytest.raises(Unavailable):
            await database.transaction(work, tries=2)
        database.close()
    assert (tries, _conflicts()) == (2, conflicts)
