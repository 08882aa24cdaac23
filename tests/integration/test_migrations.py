"""Migrations: again and at once without harm, and never from a later release."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from typing import Any

import pytest
from pymongo.errors import WriteError

from bridge import wiring
from bridge.domain.members.messages import MemberIn
from bridge.services.operations.migrations import NewerDatabase
from bridge.settings import Settings
from bridge.store.schema import VALIDATORS, VERSION
from tests.support.commands import run
from tests.support.statements import member


@pytest.fixture
async def services(settings: Settings) -> AsyncGenerator[wiring.Services]:
    """The services over a database that somebody has written to."""
    async with wiring.services(settings) as built:
        await built.members.put("m-1", MemberIn.model_validate(member()))
        yield built


def raw(services: wiring.Services) -> Any:
    """The database."""
    return services.stores.database.raw


async def everything(services: wiring.Services) -> dict[str, list[Any]]:
    """Every document there is."""
    names = sorted(await raw(services).list_collection_names())
    return {name: [row async for row in raw(services)[name].find({}).sort("_id", 1)] for name in names}


async def test_again_and_at_once_it_changes_nothing(services: wiring.Services, settings: Settings) -> None:
    """Four at once do what one does; the next finds nothing to do."""
    async with wiring.services(settings) as other:
        all_of_them = (services, other, services, other)
        await asyncio.gather(*[one.migrations.run() for one in all_of_them])
    once = await everything(services)
    indexes = {name: await raw(services)[name].index_information() for name in once}
    done = await services.migrations.run()
    assert (done.since, done.changed) == (VERSION, 0)
    assert await everything(services) == once
    assert {name: await raw(services)[name].index_information() for name in once} == indexes


async def test_a_newer_database_is_refused(services: wiring.Services, settings: Settings) -> None:
    """By migrate, the API and the worker: exit code 1 with both versions, and the database stays as it was."""
    await services.migrations.run()
    await raw(services)["meta"].update_one({"_id": "schema"}, {"$set": {"version": VERSION + 1}})
    before = await everything(services)
    with pytest.raises(NewerDatabase, match=f"version {VERSION + 1}"):
        await services.migrations.run()
    with pytest.raises(NewerDatabase):
        await services.migrations.ping()
    said = await asyncio.gather(*[run(settings, name) for name in ("migrate", "api", "worker")])
    assert [(code, f"version {VERSION + 1}" in err, "Traceback" in err) for code, _, err in said] == [
        (1, True, False)
    ] * 3
    assert await everything(services) == before


async def test_validators_refuse_what_does_not_go_through_us(services: wiring.Services) -> None:
    """Where the server takes validators, a document that is none of ours cannot be written by hand."""
    done = await services.migrations.run()
    for name in VALIDATORS.keys() - set(done.without_validator):
        with pytest.raises(WriteError):
            await raw(services)[name].insert_one({"_id": "by hand"})


async def test_an_empty_database_is_prepared(settings: Settings) -> None:
    """A first start: no version, then this one; what served before it was prepared may go on."""
    async with wiring.services(settings) as built:
        await built.migrations.check()
        assert (await built.migrations.run()).since is None
        await built.migrations.check()
        assert await built.migrations.version() == VERSION
