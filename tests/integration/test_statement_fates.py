"""What became of a statement is told to who may ask: one, many, or a list, by the ledger as it is (R64)."""

from __future__ import annotations

import uuid
from collections.abc import AsyncGenerator
from datetime import datetime
from typing import Any
from urllib.parse import quote

import orjson
import pytest

from tests.support.calls import Calls, calls
from tests.support.journey import Journey, mirroring
from tests.support.statements import HOME, completed, member, voided
from tests.support.storage import storage

LIST, LOOKUP = "/v1/ops/statements", "/v1/ops/statements/lookup"


@pytest.fixture
async def ops(bridge: Journey) -> AsyncGenerator[Calls]:
    """The API as operations calls it, beside a running worker."""
    async with calls(bridge.settings, bridge.services) as started:
        yield started


async def good(caller: Calls, path: str, body: Any = None) -> Any:
    """The answer of a call that is answered with 200."""
    status, answer = await caller("GET" if body is None else "POST", path, body)
    assert status == 200, answer
    return answer


async def looks(bridge: Journey, member_id: str) -> list[str]:
    """The sentences of a member's access history."""
    page = await bridge.services.access.history(member_id, 50, None)
    return [row["text"] for row in page.items]


async def test_each_fate_is_told_with_why(bridge: Journey, ops: Calls) -> None:
    """Every way to end has its disposition, its reason, what it waits for, and words that name the setting."""
    await bridge.add_member("m-1", member())
    completion, again, stranger = completed(), completed(), completed("9999")
    attempt = completed(result={"completion": False})
    voiding = voided(completion["id"])
    await bridge.send(completion, again, stranger, attempt)
    await bridge.send(voiding, key="statement.voided")
    expected = {
        again["id"]: ("merged", None, "it tells of what an entry of the log has already"),
        stranger["id"]: ("parked", None, "its actor is not known"),
        attempt["id"]: ("ignored", "not_completed", "it does not say that a person completed something"),
        voiding["id"]: ("withdrawn", None, "voids another"),
    }
    for statement_id, (disposition, reason, words) in expected.items():
        fate = await good(ops, f"{LIST}/{statement_id.upper()}")
        assert (fate["id"], fate["disposition"], fate["reason"], fate["via"]) == (
            *(statement_id, disposition, reason),
            "amqp",
        )
        assert words in fate["text"]
    assert (await good(ops, f"{LIST}/{stranger['id']}"))["waits_for"] == "actor"
    first = await good(ops, f"{LIST}/{completion['id']}")
    entry = (await bridge.log("m-1"))[0]
    assert (first["member_id"], first["entry_id"], first["voided_by"]) == ("m-1", entry["_id"], voiding["id"])
    assert "Working with grief" not in str(first), "no text of the statement"
    assert (await ops("GET", f"{LIST}/{uuid.uuid4()}"))[0] == 404


async def test_a_dead_letter_was_received(bridge: Journey, ops: Calls) -> None:
    """A statement that was put aside is no missing one: both calls say why, and whose it is learns of the look."""
    await bridge.add_member("m-1", member())
    bad = completed(surprise=1)
    async with mirroring(bridge):
        await bridge.send(bad)
        await bridge.services.operations.refresh()
        fate = await good(ops, f"{LIST}/{bad['id']}")
        (row,) = (await good(ops, LOOKUP, {"ids": [bad["id"]]}))["items"]
    assert (fate["disposition"], fate["reason"]) == ("dead-lettered", "invalid_statement")
    assert fate["detail"]
    assert (row["disposition"], row["reason"]) == ("dead-lettered", "invalid_statement")
    assert len(await looks(bridge, "m-1")) == 1, "the lookup of many ids says nothing of whose they are"


async def test_a_sender_reconciles_a_night(bridge: Journey, ops: Calls) -> None:
    """Up to 500 ids, answered in the order asked; what never came has no time, and 501 are refused."""
    await bridge.add_member("m-1", member())
    statements = [completed(activity=f"course/{number}") for number in range(120)]
    await bridge.settled(await bridge.publish([statements]))
    absent_ids = [str(uuid.uuid4()) for _ in range(380)]
    ids = [statement["id"] for statement in statements[::-1]] + absent_ids
    learning_centre = ops.by("learning-centre", "platform")
    rows = (await good(learning_centre, LOOKUP, {"ids": ids}))["items"]
    assert [row["id"] for row in rows] == ids
    assert {row["disposition"] for row in rows[:120]} == {"recorded"}
    assert {(row["disposition"], row["received_at"]) for row in rows[120:]} == {(None, None)}
    assert (await learning_centre("POST", LOOKUP, {"ids": [*ids, "one more"]}))[0] == 422


async def test_the_list_by_whose_they_are(bridge: Journey, ops: Calls) -> None:
    """By member or identifier: what is theirs, ignored or not, and no one else's; the look is noted first (R64)."""
    await bridge.add_member("m-1", member(identifiers=[{"mbox": "mailto:sam@example.org"}]))
    await bridge.add_member("m-2", member("1002"))
    by_mail: dict[str, Any] = {"actor": {"mbox": "mailto:Sam@example.org"}}
    completion, attempt = completed(**by_mail), completed(**by_mail, result={"completion": False})
    lesson = completed("1002", context={"instructor": {"mbox": "mailto:sam@example.org"}}, result={"completion": False})
    await bridge.send(completion, attempt, lesson)
    expected = {completion["id"], attempt["id"]}
    agent = quote(orjson.dumps({"mbox": "mailto:sam@example.org"}).decode())
    for query in ("member_id=m-1", "identifier=sam@example.org", f"identifier={agent}"):
        page = await good(ops, f"{LIST}?{query}")
        assert ({row["id"] for row in page["items"]}, page["total"]) == (expected, 2), query
    page = await good(ops, f"{LIST}?identifier={quote(f'{HOME}|1002')}&disposition=ignored")
    assert [row["id"] for row in page["items"]] == [lesson["id"]]
    assert (await good(ops, f"{LIST}?member_id=m-1&reason=not_completed"))["total"] == 1
    texts = await looks(bridge, "m-1")
    assert len(texts) == 4
    assert all("the operations team read what became of your completions" in text for text in texts)
    assert (await ops("GET", f"{LIST}?identifier=nobody"))[0] == 422
    assert (await ops.by("m-1", "member")("GET", LIST))[0] == 403


async def test_an_identifier_that_moved_leads_to_whose_it_was(bridge: Journey, ops: Calls) -> None:
    """A statement is the member's who had its identifier when it came, also when it was ignored."""
    await bridge.add_member("m-old", member("77"))
    early = completed("77", result={"completion": False})
    await bridge.send(early)
    await bridge.add_member("m-old", member("78"))
    await bridge.add_member("m-new", member("77"))
    late = completed("77", result={"completion": False})
    await bridge.send(late)
    for member_id, statement in (("m-old", early), ("m-new", late)):
        page = await good(ops, f"{LIST}?member_id={member_id}")
        assert [row["id"] for row in page["items"]] == [statement["id"]]


async def test_pages_hold_each_statement_once(bridge: Journey, ops: Calls) -> None:
    """The newest first, over all ways to end, without a repeat or a gap; a list of all names nobody (invariant 9)."""
    await bridge.add_member("m-1", member())
    bodies = [completed(activity=f"course/{n}", result={"completion": bool(n % 3)}) for n in range(9)]
    await bridge.send(*bodies, completed("nobody"))
    rows: list[Any] = []
    cursor = ""
    while True:
        page = await good(ops, f"{LIST}?limit=4{cursor}")
        rows += page["items"]
        assert page["total"] == 10
        if page["next"] is None:
            break
        cursor = f"&cursor={page['next']}"
    assert sorted(row["id"] for row in rows) == sorted(await storage(bridge.services).statements.ids())
    assert [row["received_at"] for row in rows] == sorted((row["received_at"] for row in rows), reverse=True)
    assert {(row["member_id"], row["entry_id"]) for row in rows} == {(None, None)}
    assert (await good(ops, f"{LIST}?disposition=ignored"))["total"] == 3
    assert (await ops("GET", f"{LIST}?disposition=dead-lettered"))[0] == 422, "they have a list of their own"


async def test_the_list_by_when_they_came(bridge: Journey, ops: Calls) -> None:
    """A day includes its last moment, a time does not include itself; neither is lost in another zone."""
    statements = [completed(activity=f"course/{n}") for n in range(3)]
    await bridge.send(*statements)
    rows = storage(bridge.services).statements
    times = ["2026-03-03T00:00:00+00:00", "2026-03-03T23:59:59.999+00:00", "2026-03-04T00:00:00+00:00"]
    for statement, at in zip(statements, times, strict=True):
        await rows.set({"_id": statement["id"]}, received_at=datetime.fromisoformat(at))
    ids = [statement["id"] for statement in statements]
    expected = {
        "from=2026-03-03&to=2026-03-03": ids[:2],
        "from=2026-03-04": ids[2:],
        f"from={quote(times[1])}&to={quote(times[2])}": ids[1:2],
        f"to={quote('2026-03-04T01:00:00+01:00')}": ids[:2],
        "to=9999-12-31": ids,
    }
    for query, expected_ids in expected.items():
        page = await good(ops, f"{LIST}?{query}")
        assert sorted(row["id"] for row in page["items"]) == sorted(expected_ids), query
    assert (await ops("GET", f"{LIST}?from=yesterday"))[0] == 422


async def test_nothing_is_found_of_who_was_erased(bridge: Journey, ops: Calls) -> None:
    """An erasure takes the keyed hash too: no look by the identifier finds a row, which says why (invariant 8)."""
    await bridge.add_member("m-1", member())
    completion, attempt = completed(), completed(result={"completion": False})
    await bridge.send(completion, attempt)
    await bridge.services.erasures.request("m-1", "privacy")
    assert (await good(ops, f"{LIST}?identifier={quote(f'{HOME}|1001')}"))["total"] == 0
    assert (await good(ops, f"{LIST}?member_id=m-1"))["total"] == 0
    for statement in (completion, attempt):
        fate = await good(ops, f"{LIST}/{statement['id']}")
        assert (fate["reason"], fate["member_id"], fate["entry_id"]) == ("erased", None, None)
    assert not await storage(bridge.services).statements.has({"actor": {"$exists": True}})
