"""Migrations: from the data of release 0.1.0, again and at once without harm, and never from a later release."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Any

import pytest
from bson import json_util
from pymongo.errors import WriteError

from bridge import wiring
from bridge.services.migrations import NewerDatabase
from bridge.settings import Settings
from bridge.store.schema import BY_ID, OF_MARKS, VALIDATORS, VERSION
from tests.support.commands import run
from tests.support.life import MARK, MEMBER, OTHER, holds

OLD = json_util.loads((Path(__file__).parents[1] / "data" / "store-0.1.0.json").read_text())
"""A whole life as release 0.1.0 stored it, with its indexes."""


@pytest.fixture
async def services(settings: Settings) -> AsyncGenerator[wiring.Services]:
    """The services over a database of release 0.1.0."""
    async with wiring.services(settings) as built:
        raw: Any = built.stores.database.raw
        for name, rows in OLD["collections"].items():
            await raw.create_collection(name)
            if rows:
                await raw[name].insert_many(rows)
            await _index(raw[name], OLD["indexes"][name])
        yield built


async def _index(collection: Any, indexes: dict[str, Any]) -> None:
    for name, said in indexes.items():
        named = (
            "unique",
            "sparse",
            "expireAfterSeconds",
            "partialFilterExpression",
        )  # the embedded store minds the order
        options = {key: said[key] for key in named if key in said}
        if name != "_id_":
            await collection.create_index([(field, int(way)) for field, way in said["key"]], name=name, **options)


def raw(services: wiring.Services) -> Any:
    """The database."""
    return services.stores.database.raw


async def everything(services: wiring.Services) -> dict[str, list[Any]]:
    """Every document there is."""
    names = sorted(await raw(services).list_collection_names())
    return {name: [row async for row in raw(services)[name].find({}).sort("_id", 1)] for name in names}


async def test_what_the_release_before_stored_works_on(services: wiring.Services) -> None:
    """Nothing is lost; the record, the snapshot, the access log and the files read as they did."""
    before = await everything(services)
    done = await services.migrations.run()
    assert (done.since, await services.migrations.version()) == (1, VERSION)
    after = await everything(services)
    for name in before.keys() - {"meta", "statements", "access_log"}:
        assert after[name] == before[name], name
    changed = [(old, new) for old, new in zip(before["statements"], after["statements"], strict=True) if old != new]
    assert changed
    assert len(changed) + len(before["access_log"]) == done.changed
    assert all({**new, "about": None} == {**old, "about": None} for old, new in changed)
    assert after["access_log"] == [
        {name: said for name, said in row.items() if name != "member_id"} for row in before["access_log"]
    ]
    assert (await services.access.verify()).faults == []
    told = (await services.access.history(MEMBER, 50, None)).items
    assert {row["_id"] for row in told} == {row["_id"] for row in before["access_log"] if row["member_id"] == MEMBER}
    assert len(await services.stores.log.of(MEMBER).every()) == 3
    (submission, *_) = [row async for row in raw(services)["submissions"].find({"member_id": MEMBER})]
    assert await services.submissions.text(submission)
    (file,) = [row async for row in raw(services)["evidence.files"].find({"member_id": MEMBER})]
    _, content = await services.evidence.content(MEMBER, file["_id"])
    assert b"".join([data async for data in content]) == f"{MARK}-evidence".encode() * 1000


async def test_what_the_release_before_had_not_sent_is_sent(services: wiring.Services) -> None:
    """Its marks become notes, references are found where this release looks for them, and its indexes go."""
    statements = raw(services)["statements"]
    marked = [row async for row in statements.find({"lrs.unsent": {"$gt": 0}})]
    await statements.update_one({"_id": marked[0]["_id"]}, {"$set": {"lrs.target": "another"}})
    await services.migrations.run()
    notes = await services.stores.lrs.unsent.waiting(2**62, "", 10)
    assert [id_ for note in notes for id_ in note.statement_ids] == [row["_id"] for row in marked]
    referring = await services.stores.lrs.statements.links(["another"], [])
    assert [row["_id"] for row in referring] == [marked[0]["_id"]]
    assert not OF_MARKS & (await statements.index_information()).keys()
    assert BY_ID not in await raw(services)["access_log"].index_information()


async def test_ids_that_the_release_before_wrote_meanwhile_are_taken_off_too(services: wiring.Services) -> None:
    """Old processes may serve on beside the new: migrating again, when they have ended, leaves no member's id."""
    await services.migrations.run()
    rows = raw(services)["access_log"]
    last = await rows.find_one({"chain": 4})
    await rows.insert_one({**last, "_id": "4:1000", "seq": 1000, "member_id": MEMBER})
    assert (await services.migrations.run()).changed == 1
    assert not [row async for row in rows.find({}) if "member_id" in row]


async def test_an_erasure_reaches_what_the_release_before_stored(services: wiring.Services) -> None:
    """Statements that were not the member's are found, and the chains of the access log hold."""
    await services.migrations.run()
    assert (await services.erasures.request(MEMBER, "dpo"))["state"] == "erased"
    left = {name: [row for row in rows if holds(row, MARK)] for name, rows in (await everything(services)).items()}
    left["statements"] = [row for row in left["statements"] if not holds(row, f"{MARK}.unknown")]
    left["parked"] = [row for row in left["parked"] if not holds(row, f"{MARK}.unknown")]
    assert {name: rows for name, rows in left.items() if rows} == {}
    assert (await services.access.verify()).faults == []
    assert await services.stores.members.get(OTHER) is not None


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
