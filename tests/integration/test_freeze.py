"""After submission nothing in the scope changes, by whatever way, until the freeze ends (R56, decisions 1, 4, 13)."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from typing import Any

import pytest
from aiohttp import FormData

from bridge.services.members import MemberIn
from bridge.settings import Settings
from tests.support.audit import BEFORE, IN_PERIOD, OTHER_PERIOD, PERIOD, Office, Person, office, open_office
from tests.support.journey import Journey
from tests.support.statements import completed, member, voided


@pytest.fixture
async def desk(settings: Settings) -> AsyncGenerator[Office]:
    """The API, called by anybody."""
    async with open_office(settings) as opened:
        yield opened


async def everything(member: Person) -> dict[str, Any]:
    """All that a member can read of their record, versions included."""
    read = {path: await member.good("GET", path) for path in ("/v1/log?period=all", "/v1/plan")}
    for kind in ("log", "plan"):
        rows = read["/v1/log?period=all" if kind == "log" else "/v1/plan"]["items"]
        read |= {row["id"]: await member.good("GET", f"/v1/{kind}/{row['id']}") for row in rows}
        if kind == "log":
            read |= {f"files {row['id']}": await member.good("GET", f"/v1/log/{row['id']}/evidence") for row in rows}
    return {**read, "comments": await member.good("GET", f"/v1/periods/{PERIOD}/comments")}


async def attempts(ids: dict[str, str], other: dict[str, str]) -> dict[str, tuple[str, str, Any]]:
    """Every way into the frozen scope, and out of it."""
    entry, item, file = ids["entry"], ids["item"], ids["file"]
    form = FormData()
    form.add_field("file", b"more", filename="more.txt", content_type="text/plain")
    return {
        "edit an entry": ("PATCH", f"/v1/log/{entry}", {"title": "Changed"}),
        "move an entry out": ("PATCH", f"/v1/log/{entry}", {"date": BEFORE}),
        "take an entry's date away": ("PATCH", f"/v1/log/{entry}", {"date": None}),
        "move an entry in": ("PATCH", f"/v1/log/{other['entry']}", {"date": IN_PERIOD}),
        "date an undated entry in": ("PATCH", f"/v1/log/{other['undated']}", {"date": IN_PERIOD}),
        "delete an entry": ("DELETE", f"/v1/log/{entry}", None),
        "restore an entry": ("POST", f"/v1/log/{other['deleted']}/restore", None),
        "add an entry": ("POST", "/v1/log", {"title": "New", "date": IN_PERIOD}),
        "edit a plan item": ("PATCH", f"/v1/plan/{item}", {"title": "Changed"}),
        "move a plan item out": ("PATCH", f"/v1/plan/{item}", {"start_date": BEFORE, "completion_date": BEFORE}),
        "delete a plan item": ("DELETE", f"/v1/plan/{item}", None),
        "unlink": ("DELETE", f"/v1/log/{entry}/links/{item}", None),
        "link another item": ("PUT", f"/v1/log/{entry}/links/{other['item']}", None),
        "link another entry": ("PUT", f"/v1/log/{other['entry']}/links/{item}", None),
        "add evidence": ("POST", f"/v1/log/{entry}/evidence", form),
        "delete evidence": ("DELETE", f"/v1/evidence/{file}", None),
        "comment": ("POST", f"/v1/periods/{PERIOD}/comments", {"text": "One more thing."}),
    }


async def outside(sam: Person) -> dict[str, str]:
    """Things of the member's that are not in the period, or not in any list."""
    deleted = await sam.entry()
    await sam.good("DELETE", f"/v1/log/{deleted}")
    item = await sam.plan_item(start_date="2025-05-01", completion_date="2025-06-01")
    return {"entry": await sam.entry(BEFORE), "undated": await sam.entry(None), "deleted": deleted, "item": item}


async def test_the_freeze_holds_against_everything(desk: Office) -> None:
    """R56: each attempt is refused with the case and since when, and the record reads as before to the byte."""
    sam, team = await desk.add_member(), desk.staff()
    other = await outside(sam)
    ids = await sam.record()
    case = await team.select()
    await sam.submit(case)
    before, since = await everything(sam), (await sam.good("GET", f"/v1/log/{ids['entry']}"))["frozen_since"]
    for what, (method, path, body) in (await attempts(ids, other)).items():
        refused = await sam(method, path, body)
        assert (what, refused.status, refused.problem) == (what, 409, "record-frozen")
        assert case in refused.body["detail"], what
        assert since[:19] in refused.body["detail"], what
    assert await everything(sam) == before


async def test_what_is_outside_stays_open(desk: Office) -> None:
    """Decision 1: other years, undated entries and their plan are the member's to change meanwhile."""
    sam, team = await desk.add_member(), desk.staff()
    other = await outside(sam)
    await sam.record()
    await sam.submit(await team.select())
    await sam.good("PATCH", f"/v1/log/{other['entry']}", {"title": "Changed"})
    await sam.good("PATCH", f"/v1/log/{other['undated']}", {"title": "Changed"})
    await sam.good("PATCH", f"/v1/plan/{other['item']}", {"title": "Changed"})
    await sam.good("PUT", f"/v1/log/{other['entry']}/links/{other['item']}")
    await sam.good("POST", f"/v1/periods/{OTHER_PERIOD}/comments", {"text": "About last year."})
    await sam.entry(BEFORE)


@pytest.mark.parametrize("end", ["return", "close", "withdraw", "satisfied_elsewhere"])
async def test_the_freeze_ends(desk: Office, end: str) -> None:
    """Decision 3: frozen only while submitted; whatever ends that, everything can be changed again."""
    sam, team = await desk.add_member(), desk.staff()
    ids = await sam.record()
    case = await team.select()
    await sam.submit(case)
    await team.decide(case, end)
    for path in (f"/v1/log/{ids['entry']}", f"/v1/plan/{ids['item']}"):
        assert (await sam.good("PATCH", path, {"title": "Changed"}))["frozen"] is False
    await sam.good("DELETE", f"/v1/evidence/{ids['file']}")
    await sam.good("DELETE", f"/v1/log/{ids['entry']}/links/{ids['item']}")
    await sam.good("POST", f"/v1/periods/{PERIOD}/comments", {"text": "Since you ask."})
    assert not (await sam.good("GET", f"/v1/periods/{PERIOD}"))["frozen"]


async def test_a_changed_renewal_date_moves_nothing_frozen(desk: Office) -> None:
    """R82: only unfrozen entries change their period, and the scope stays shut by its days."""
    sam, team = await desk.add_member(), desk.staff()
    ids, free = await sam.record(), await sam.entry(BEFORE)
    case = await team.select()
    await sam.submit(case)
    moved = MemberIn.model_validate(member("m-1", renewal_date="2026-07-01"))
    await desk.services.members.put("m-1", moved)
    assert (await sam.good("GET", f"/v1/log/{ids['entry']}"))["period_id"] == PERIOD
    assert (await sam.good("GET", f"/v1/log/{free}"))["period_id"] == "2024-07-01"
    assert (await sam("PATCH", f"/v1/log/{free}", {"date": IN_PERIOD})).problem == "record-frozen"
    await team.decide(case, "return")
    assert (await sam.good("GET", f"/v1/log/{ids['entry']}"))["period_id"] == "2025-07-01"


async def test_what_arrives_meanwhile_waits(bridge: Journey) -> None:
    """Decision 4: completions, merges and voidings of a frozen period are held, counted, and done when it ends."""
    await bridge.add_member("m-1", member("m-1"))
    first = completed("m-1", "course/1")
    await bridge.send(first)
    async with office(bridge.settings, bridge.services) as desk:
        sam, team = desk.member("m-1"), desk.staff()
        case = await team.select()
        receipt = await sam.submit(case)
        before = await everything(sam)
        outcomes = await bridge.send(completed("m-1", "course/2"), completed("m-1", "course/1"))
        await bridge.send(voided(first["id"]))
        assert [outcome.disposition.value for outcome in outcomes] == ["held", "held"]
        assert await everything(sam) == before
        assert (await sam.good("GET", f"/v1/periods/{PERIOD}"))["counts"]["waiting"] == 3
        record = await team("GET", f"/v1/register/cases/{case}/record")
        assert record.headers["ETag"] == f'"{receipt["digest"]}"'
        await team.decide(case, "return")
        period = await sam.good("GET", f"/v1/periods/{PERIOD}")
        assert (period["counts"]["waiting"], period["counts"]["draft"]) == (0, 2)
        rows = (await sam.good("GET", f"/v1/log?period={PERIOD}"))["items"]
        entries = [await sam.good("GET", f"/v1/log/{row['id']}") for row in rows]
        assert sorted(len(entry["provenance"]["statement_ids"]) for entry in entries) == [1, 2]


async def test_an_act_that_died_before_letting_go_is_made_good(desk: Office) -> None:
    """Decision 4: the freeze's end and what was held are two steps; the worker's clock finishes the second."""
    sam, team = await desk.add_member(), desk.staff()
    case = await team.select()
    await sam.submit(case)
    await team.decide(case, "close")
    cases = desk.services.stores.database.collection("audit_cases")
    assert await cases.count_documents({"thawing": {"$exists": True}}) == 0
    long_ago = (await cases.find_one({"_id": case}) or {})["selected_at"].replace(year=2020)
    await cases.update_one({"_id": case}, {"$set": {"thawing": long_ago}})
    assert await desk.services.submissions.catch_up_left_behind() == 1
    assert await desk.services.submissions.catch_up_left_behind() == 0
