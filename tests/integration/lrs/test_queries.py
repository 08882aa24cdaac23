"""Finding statements: every filter, alone and together, in order, page by page, through references (§2.1.3-2.1.4)."""

from __future__ import annotations

import asyncio
import uuid
from datetime import UTC, datetime
from itertools import product
from typing import Any

import orjson
import pytest

from bridge import wiring
from tests.integration.lrs.client import Lrs, agent, new_id, statement, voiding
from tests.support.storage import storage


def as_text(value: Any) -> str:
    """JSON as a parameter."""
    return orjson.dumps(value).decode()


async def test_each_filter_finds_what_it_names(lrs: Lrs) -> None:
    """Each filter finds its statements and no others, by role or, with related_…, by any mention."""
    registration = str(uuid.uuid4())
    group = {"objectType": "Group", "member": [agent("gus")]}
    inner = {"objectType": "SubStatement", **statement("sue", "sub", "inner")}
    related = {"contextActivities": {"grouping": [{"id": "https://things.example.org/shelf"}]}}
    context: dict[str, Any] = {"instructor": agent("ian"), "registration": registration.upper(), **related}
    plain, known_id, nested_id, team = await lrs.post(
        [
            statement("ada", "read", "book"),
            statement("bob", "wrote", "page", context=context),
            statement("cyd", "meant", object=inner),
            statement("x", "met", actor=group, object={"objectType": "Agent", **agent("ada")}),
        ]
    )
    cases: list[tuple[dict[str, Any], list[str]]] = [
        ({"agent": agent("ada")}, [team, plain]),
        ({"agent": agent("gus")}, [team]),
        ({"agent": agent("ian")}, []),
        ({"agent": agent("ian"), "related_agents": "true"}, [known_id]),
        ({"agent": agent("sue")}, []),
        ({"agent": agent("sue"), "related_agents": "true"}, [nested_id]),
        ({"agent": {"account": {"homePage": "https://lrs.example.org", "name": "all"}}, "related_agents": "True"},
         [team, nested_id, known_id, plain]),
        ({"verb": "https://verbs.example.org/read"}, [plain]),
        ({"verb": "https://verbs.example.org/sub"}, []),
        ({"activity": "https://things.example.org/book"}, [plain]),
        ({"activity": "https://things.example.org/shelf"}, []),
        ({"activity": "https://things.example.org/shelf", "related_activities": "true"}, [known_id]),
        ({"activity": "https://things.example.org/inner", "related_activities": "true"}, [nested_id]),
        ({"registration": registration}, [known_id]),
        ({"agent": agent("bob"), "verb": "https://verbs.example.org/wrote", "registration": registration}, [known_id]),
        ({"agent": agent("bob"), "verb": "https://verbs.example.org/read"}, []),
        ({"ascending": "true"}, [plain, known_id, nested_id, team]),
        ({}, [team, nested_id, known_id, plain]),
    ]  # fmt: skip
    for params, expected in cases:
        texts = {name: value if isinstance(value, str) else as_text(value) for name, value in params.items()}
        assert await lrs.find(**texts) == expected, params


async def test_since_and_until_go_by_the_time_stored(lrs: Lrs) -> None:
    """``since`` leaves out the moment it names, ``until`` takes it in."""
    first, second = [(await lrs.post(statement()))[0] for _ in range(2)]
    at = (await lrs.get(first))["stored"]
    assert await lrs.find(since=at) == [second]
    assert await lrs.find(until=at) == [first]
    assert await lrs.find(since=at, until=at) == []


async def test_pages_neither_repeat_nor_skip_while_others_write(lrs: Lrs) -> None:
    """Page by page, in both directions and broad or narrow, each statement of the beginning comes once, in order."""
    ids = [
        statement_id for _ in range(4) for statement_id in await lrs.post([statement(path=f"{n}") for n in range(25)])
    ]

    async def write() -> None:
        for _ in range(5):
            await lrs.post([statement("late") for _ in range(5)])

    async def down(**params: str) -> list[str]:
        return [statement_id for statement_id in await lrs.find(limit="7", **params) if statement_id in ids]

    filters = [{}, {"agent": as_text(agent("ada"))}, {"verb": "https://verbs.example.org/read"}]
    pages = await asyncio.gather(write(), *[down(**params) for params in filters])
    assert pages[1:] == [ids[::-1]] * 3
    assert (await lrs.find(limit="7", ascending="true"))[:100] == ids


@pytest.mark.parametrize("apart", [0, 1, 1_000_000])
async def test_pages_neither_repeat_nor_skip_at_equal_times(lrs: Lrs, services: wiring.Services, apart: int) -> None:
    """Statements of several processes may have one time stored, and times may lie on the edge of a window."""
    stored = await lrs.post([statement(id=new_id()) for _ in range(12)])
    now = int(datetime.now(UTC).timestamp() * 1e6)
    at = {statement_id: now - apart * (number // 3) for number, statement_id in enumerate(stored)}
    for statement_id, time in at.items():
        await storage(services).statements.set({"_id": statement_id}, lrs__at=time)
    newest = sorted(stored, key=lambda statement_id: (at[statement_id], statement_id), reverse=True)
    for limit in ("1", "5", "12"):
        assert await lrs.find(limit=limit) == newest
        assert await lrs.find(limit=limit, ascending="true") == newest[::-1]


async def test_what_comes_by_the_queue_alone_is_not_shown(lrs: Lrs, services: wiring.Services) -> None:
    """A statement of the Learning centre's queue is in the same ledger, and not the LRS's to show; over HTTP it is."""
    own_statement = statement(id=new_id())
    raw = orjson.dumps(own_statement)
    row = {"_id": own_statement["id"], "raw": raw, "digest": b"", "disposition": "ignored"}
    await storage(services).statements.insert([row])
    assert await lrs.find() == []
    assert (await lrs.call("GET", "statements", {"statementId": own_statement["id"]})).status == 404


async def test_a_statement_about_another_is_found_by_what_that_is_found_by(lrs: Lrs) -> None:
    """A reference, whichever of the two comes first, and one through another, leads the filters on (§2.1.4)."""
    ids = [new_id() for _ in range(4)]
    book = statement("ada", "read", "book", id=ids[0])
    chain = [
        statement(f"r{n}", "cited", id=ids[n], object={"objectType": "StatementRef", "id": ids[n - 1]})
        for n in (1, 2, 3)
    ]
    for link_statement in (chain[0], book, chain[2], chain[1]):
        await lrs.post(link_statement)
    statement_ids = await lrs.find(agent=as_text(agent("ada")), verb="https://verbs.example.org/read")
    assert sorted(statement_ids) == sorted(ids)
    assert await lrs.find(agent=as_text(agent("ada")), verb="https://verbs.example.org/cited") == []
    assert sorted(await lrs.find(verb="https://verbs.example.org/cited")) == sorted(ids[1:])


async def test_a_ring_of_references_ends(lrs: Lrs) -> None:
    """Statements that refer to each other in a ring are stored, and found by each other's facts."""
    ids = [new_id() for _ in range(3)]
    ring = [statement(f"r{n}", id=ids[n], object={"objectType": "StatementRef", "id": ids[n - 1]}) for n in range(3)]
    await lrs.post(ring)
    assert sorted(await lrs.find(agent=as_text(agent("r0")))) == sorted(ids)


async def test_a_voided_statement_is_found_by_its_own_parameter_alone(lrs: Lrs) -> None:
    """Voided, a statement leaves every list; voidedStatementId brings it; the voiding one is found by its facts."""
    (statement_id, second) = await lrs.post([statement(), statement("bob")])
    (by,) = await lrs.post(voiding(statement_id))
    assert await lrs.find() == [by, second]
    assert (await lrs.call("GET", "statements", {"statementId": statement_id})).status == 404
    assert (await lrs.call("GET", "statements", {"voidedStatementId": statement_id})).status == 200
    assert (await lrs.call("GET", "statements", {"voidedStatementId": second})).status == 404
    assert await lrs.find(activity="https://things.example.org/book", agent=as_text(agent("ada"))) == [by]


async def test_a_voiding_may_come_first_and_cannot_be_voided(lrs: Lrs) -> None:
    """A statement that was voided before it came is voided; a voiding statement stays (xAPI-Data §2.3.2)."""
    target = new_id()
    (by,) = await lrs.post(voiding(target))
    await lrs.post(statement(id=target))
    assert (await lrs.call("GET", "statements", {"voidedStatementId": target})).status == 200
    (again,) = await lrs.post(voiding(by))
    assert await lrs.find() == [again, by]


async def test_a_batch_may_void_what_it_holds(lrs: Lrs) -> None:
    """A statement and the one that voids it, in one batch in either order, end as voided."""
    for turn in (1, -1):
        own_statement = statement(id=new_id())
        await lrs.post([own_statement, voiding(own_statement["id"])][::turn])
        assert (await lrs.call("GET", "statements", {"voidedStatementId": own_statement["id"]})).status == 200


@pytest.mark.parametrize("version", ["1.0.3", "2.0.0"])
async def test_times_of_2_0_are_answered_in_utc(lrs: Lrs, version: str) -> None:
    """2.0 answers every time in UTC, in a SubStatement too; 1.0.3 the offset that was sent (IEEE 9274.1.1 §4.2.7)."""
    local, utc = "2026-11-20T12:00:00.5+02:00", "2026-11-20T10:00:00.500000Z"
    sub_statement = {**statement(timestamp=local), "objectType": "SubStatement"}
    (statement_id,) = await lrs.speaking(version).post(statement(object=sub_statement, timestamp=local))
    for read_in, form in product(("1.0.3", "2.0.0"), ("exact", "ids", "canonical")):
        reader, is_utc = lrs.speaking(read_in), "2.0.0" in {version, read_in}
        listing = await (await reader.call("GET", "statements", {"format": form})).json()
        for answer in (await reader.get(statement_id, format=form), listing["statements"][0]):
            assert {answer["timestamp"], answer["object"]["timestamp"]} == {utc if is_utc else local}, (read_in, form)
            assert answer["stored"].endswith("Z")
