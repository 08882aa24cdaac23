"""Migrations: again and at once without harm, and never from a later release."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator

import pytest
from pymongo.errors import WriteError

from bridge import wiring
from bridge.domain.members.messages import MemberIn
from bridge.services.operations.migrations import NewerDatabase
from bridge.settings import Settings
from bridge.store import SCHEMA_VERSION
from bridge.store.schema import VALIDATORS
from tests.support.commands import run
from tests.support.statements import member
from tests.support.storage import storage

pytestmark = pytest.mark.new_database


@pytest.fixture
async def services(settings: Settings) -> AsyncGenerator[wiring.Services]:
    """The services over a database that somebody has written to."""
    async with wiring.services(settings) as live_services:
        await live_services.members.put("m-1", MemberIn.model_validate(member()))
        yield live_services


async def test_again_and_at_once_it_changes_nothing(services: wiring.Services, settings: Settings) -> None:
    """Four at once do what one does; the next finds nothing to do."""
    async with wiring.services(settings) as second:
        all_of_them = (services, second, services, second)
        await asyncio.gather(*[replica.migrations.run() for replica in all_of_them])
    once = await storage(services).everything()
    indexes = {name: await storage(services).rows(name).indexes() for name in once}
    report = await services.migrations.run()
    assert (report.since, report.changed) == (SCHEMA_VERSION, 0)
    assert await storage(services).everything() == once
    assert {name: await storage(services).rows(name).indexes() for name in once} == indexes


async def test_a_newer_database_is_refused(services: wiring.Services, settings: Settings) -> None:
    """By migrate, the API and the worker: exit code 1 with both versions, and the database stays as it was."""
    await services.migrations.run()
    await storage(services).meta.set({"_id": "schema"}, version=SCHEMA_VERSION + 1)
    before = await storage(services).everything()
    with pytest.raises(NewerDatabase, match=f"version {SCHEMA_VERSION + 1}"):
        await services.migrations.run()
    with pytest.raises(NewerDatabase):
        await services.migrations.ping()
    results = await asyncio.gather(*[run(settings, name) for name in ("migrate", "api", "worker")])
    assert [(code, f"version {SCHEMA_VERSION + 1}" in err, "Traceback" in err) for code, _, err in results] == [
        (1, True, False)
    ] * 3
    assert await storage(services).everything() == before


async def test_validators_refuse_what_does_not_go_through_us(services: wiring.Services) -> None:
    """Where the server takes validators, a document that is none of ours cannot be written by hand."""
    report = await services.migrations.run()
    for name in VALIDATORS.keys() - set(report.without_validator):
        with pytest.raises(WriteError):
            await storage(services).rows(name).insert([{"_id": "by hand"}])


async def test_an_empty_database_is_prepared(settings: Settings) -> None:
    """A first start: no version, then this one; what served before it was prepared may go on."""
    async with wiring.services(settings) as services:
        await services.migrations.check()
        assert (await services.migrations.run()).since is None
        await services.migrations.check()
        assert (await storage(services).meta.get("schema"))["version"] == SCHEMA_VERSION
