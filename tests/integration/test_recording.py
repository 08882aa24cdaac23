"""A completed statement becomes a draft in the member's log, whatever comes with it (R27-R31, decisions 4-12)."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import orjson
import pytest

from bridge import wiring
from bridge.broker.connection import connection
from bridge.domain.statements.dispositions import Disposition, Outcome
from bridge.domain.statements.ledger import Arrival, arrival
from bridge.settings import Settings
from consumers.worker import Worker
from tests.support.journey import Journey, words
from tests.support.statements import HOME, account, activity_of, completed, member, voided


async def test_a_completion_becomes_a_draft(bridge: Journey) -> None:
    """R27, R29: the draft has the title, description, type, day and minutes of what was completed."""
    await bridge.add_member("m-1", member())
    statement = completed(
        result={"completion": True, "duration": "PT1H30M"},
        object=activity_of("course/1", "<b>Grief</b> &amp; loss"),
        at="2026-03-31T23:30:00Z",
    )
    (outcome,) = await bridge.send(statement)
    (entry,) = await bridge.log("m-1")
    assert outcome == Outcome(Disposition.RECORDED, entry_id=entry["_id"], member_id="m-1")
    assert (entry["title"], entry["description"], entry["type"]) == ("Grief & loss", "An introduction.", "course")
    assert (entry["date"], entry["period_id"]) == ("2026-04-01", "2026-04-01"), "half past midnight in London"
    assert (entry["minutes"], entry["draft"], entry["complete"]) == (90, True, False)
    assert entry["provenance"]["statement_ids"] == [statement["id"]]
    assert "reason" in entry["missing_fields"]


async def test_the_same_statement_again_changes_nothing(bridge: Journey) -> None:
    """Decision 6: a repeat is a duplicate, in the same batch or a later one."""
    await bridge.add_member("m-1", member())
    statement = completed()
    first = await bridge.send(statement, statement)
    again = await bridge.send({**statement, "stored": "2026-05-04T11:00:00Z"})
    assert [words(outcome) for outcome in (*first, *again)] == ["recorded", "duplicate", "duplicate"]
    assert len(await bridge.log("m-1")) == 1


def respelt() -> list[tuple[dict[str, Any], dict[str, Any]]]:
    """Pairs of a statement and the same spelt otherwise, each pair of another course."""
    ways: list[dict[str, Any]] = [
        {"timestamp": "2026-05-04T11:00:00.000+01:00"},
        {"context": {"contextActivities": {"grouping": {"id": f"{HOME}/site"}}}},
        {"actor": {**account("1001"), "objectType": "Agent", "name": "Sam"}},
        {"id": "6E2F1F2A-0A52-4F0E-9D2F-5A1F9D6F0C01"},
        {"result": {"completion": True, "score": {"scaled": 1.0}}},
        {"authority": account("lrs"), "stored": "2026-05-04T10:00:01Z", "version": "1.0.0"},
        {"timestamp": None},
    ]
    firsts = [
        completed(
            activity=f"course/{number}",
            result={"completion": True, "score": {"scaled": 1}},
            context={"contextActivities": {"grouping": [{"id": f"{HOME}/site"}]}},
            **({"id": way["id"].lower()} if "id" in way else {}),
        )
        for number, way in enumerate(ways)
    ]
    pairs = [(first, first | way) for first, way in zip(firsts, ways, strict=True)]
    return [(first, {name: part for name, part in second.items() if part}) for first, second in pairs]


@pytest.mark.parametrize("where", ["the queue", "an array"])
async def test_the_same_statement_spelt_otherwise_is_a_duplicate(bridge: Journey, where: str) -> None:
    """Decision 6, xAPI-Data §2.3.1: what an LRS may have caused is no other body; by whatever way it comes."""
    await bridge.add_member("m-1", member())
    pairs = respelt()
    if where == "an array":
        (outcomes,) = await bridge.settled(await bridge.publish([[statement for pair in pairs for statement in pair]]))
        first, second = outcomes[::2], outcomes[1::2]
    else:
        first = await bridge.send(*[statement for statement, _ in pairs])
        second = await bridge.send(*[statement for _, statement in pairs])
    assert [words(outcome) for outcome in (*first, *second)] == ["recorded"] * len(pairs) + ["duplicate"] * len(pairs)
    assert len(await bridge.log("m-1")) == len(pairs)


async def test_another_body_under_the_same_id_is_a_conflict(bridge: Journey) -> None:
    """Decision 6: the first body stays, the second goes to the dead letters."""
    await bridge.add_member("m-1", member())
    statement = completed()
    second = {**statement, "object": activity_of("course/2")}
    outcomes = [*await bridge.send(statement), *await bridge.send(second)]
    assert [words(outcome) for outcome in outcomes] == ["recorded", "dead-lettered conflict"]
    (letter,) = await bridge.dead_letters()
    assert (letter.body, letter.headers["x-reason"]) == (orjson.dumps(second), "conflict")
    assert [entry["provenance"]["activity_id"] for entry in await bridge.log("m-1")] == [statement["object"]["id"]]


async def test_the_same_activity_on_the_same_day_is_one_entry(bridge: Journey) -> None:
    """Decision 7: same day or same registration joins the entry; another day without one makes a new entry."""
    await bridge.add_member("m-1", member())
    registration = {"registration": "5e3f5a0e-2f4b-4a8e-9d6f-7a3d1f1b2c3d"}
    outcomes = await bridge.send(
        completed(at="2026-05-04T08:00:00Z", context=registration),
        completed(at="2026-05-04T20:00:00Z"),
        completed(at="2026-05-09T08:00:00Z", context=registration),
        completed(at="2026-05-10T08:00:00Z"),
    )
    assert [words(outcome) for outcome in outcomes] == ["recorded", "merged", "merged", "recorded"]
    first, second = await bridge.log("m-1")
    assert len(first["provenance"]["statement_ids"]) == 3
    assert (first["date"], second["date"]) == ("2026-05-04", "2026-05-10")


@pytest.mark.parametrize("order", ["voided last", "voided first", "together"])
async def test_a_voided_statement_is_withdrawn(bridge: Journey, order: str) -> None:
    """Decision 8: an untouched draft goes, whichever arrives first."""
    await bridge.add_member("m-1", member())
    statement = completed()
    pair = [statement, voided(statement["id"])]
    if order == "together":
        await bridge.send(*pair)
    else:
        for part_statement in pair if order == "voided last" else reversed(pair):
            await bridge.send(part_statement)
    assert await bridge.log("m-1") == []
    assert words((await bridge.send(statement))[0]) == "duplicate"
    assert await bridge.log("m-1") == []


@pytest.mark.parametrize("copies", [0, 1, 2], ids=["one batch", "completed before", "voided before"])
async def test_the_same_completed_again_after_a_voiding_makes_another_entry(bridge: Journey, copies: int) -> None:
    """Decision 8: whatever of it comes in one batch, nothing joins what was withdrawn."""
    await bridge.add_member("m-1", member())
    first, again = completed(), completed()
    recording, at = bridge.services.recording, datetime.now(UTC)
    statements = [first, voided(first["id"]), again]
    arrivals = [arrival(statement, orjson.dumps(statement), at, recording.rules) for statement in statements]
    for batch in (arrivals[:copies], arrivals[copies:]):
        await recording.record(batch)
    (entry,) = await bridge.log("m-1")
    assert entry["provenance"]["statement_ids"] == [again["id"]]


async def test_a_voiding_that_was_voided_before_it_came_voids(bridge: Journey) -> None:
    """A voiding cannot be voided (xAPI-Data §2.3.2), whenever it comes."""
    await bridge.add_member("m-1", member())
    statement = completed()
    by = voided(statement["id"])
    for part_statement in (statement, voided(by["id"]), by):
        await bridge.send(part_statement)
    assert await bridge.log("m-1") == []
    assert [outcome.disposition for outcome in await bridge.send(by, statement)] == [Disposition.DUPLICATE] * 2


async def test_an_unknown_actor_is_parked_until_the_member_comes(bridge: Journey) -> None:
    """Decision 10: nothing is lost, and the identifier brings it into the log."""
    statement = completed(actor={"mbox": "mailto:Sam@Example.org"})
    assert words((await bridge.send(statement))[0]) == "parked"
    await bridge.add_member("m-1", member(identifiers=[{"mbox": "mailto:sam@example.org"}]))
    (entry,) = await bridge.log("m-1")
    assert entry["provenance"]["statement_ids"] == [statement["id"]]
    ledger = await bridge.services.stores.lrs_ledger.rows_of([statement["id"]])
    assert ledger[statement["id"]].get("disposition") == "recorded"
    assert await bridge.services.stores.waiting.count_parked() == 0


async def test_a_statement_without_an_id_is_known_by_its_bytes(bridge: Journey) -> None:
    """A redelivery of a statement that has no id is recognised."""
    await bridge.add_member("m-1", member())
    statement = {name: value for name, value in completed().items() if name != "id"}
    outcomes = await bridge.send(statement, statement)
    assert [words(outcome) for outcome in outcomes] == ["recorded", "duplicate"]
    assert len(await bridge.log("m-1")) == 1


async def test_keys_with_dots_and_dollars_survive(bridge: Journey) -> None:
    """A statement's JSON is kept as received, whatever its keys are."""
    await bridge.add_member("m-1", member())
    extensions = {"http://example.org/a.b/$c": {"$set": {"x.y": 1}, "deep": [[[[{"a.b": "$d"}]]]]}}
    statement = completed(result={"extensions": extensions})
    await bridge.send(statement)
    row = (await bridge.services.stores.lrs_ledger.rows_of([statement["id"]]))[statement["id"]]
    assert bytes(row.get("raw", b"")) == orjson.dumps(statement)


async def test_a_five_megabyte_statement_is_taken(bridge: Journey) -> None:
    """A large statement is recorded with its description cut to what the form allows, and kept whole in the ledger."""
    await bridge.add_member("m-1", member())
    activity = activity_of("course/1")
    activity["definition"]["description"] = {"en-GB": "word " * 1_000_000}
    assert words((await bridge.send(completed(object=activity)))[0]) == "recorded"
    (entry,) = await bridge.log("m-1")
    assert len(entry["description"]) <= 100_000


async def test_members_without_identifiers_are_no_conflict(bridge: Journey) -> None:
    """R82: the membership system may bring members before it knows how the Learning centre names them."""
    await bridge.add_member("m-1", member(identifiers=[]))
    await bridge.add_member("m-2", member(identifiers=[]))
    await bridge.add_member("m-2", member())
    assert words((await bridge.send(completed()))[0]) == "recorded"


async def test_a_stop_hurries_no_attempt(settings: Settings) -> None:
    """Invariant 7: a fault of a tenth of a second, during which the worker is told to stop, exhausts nothing."""
    async with wiring.services(settings) as services, connection(settings, "test") as broker:
        await services.stores.prepare()
        parallel = Journey(settings, services, await broker.channel(publisher_confirms=True, on_return_raises=True))
        await parallel.topology.declare(parallel.channel)
        worker = Worker(settings, parallel.topology, services.recording, parallel.report)
        record, over = services.recording.record, asyncio.get_running_loop().time() + 0.1

        async def recorded_later(arrivals: Sequence[Arrival], *, tries: int | None = None) -> list[Outcome]:
            worker.stop()
            if asyncio.get_running_loop().time() < over:
                raise RuntimeError
            return await record(arrivals, tries=tries)

        services.recording.record = recorded_later
        (key,) = await parallel.publish([completed()])
        over = asyncio.get_running_loop().time() + 0.1
        await worker.run()
        assert words((await parallel.settled([key]))[0][0]) == "parked"
