"""After submission nothing in the scope changes, by whatever way, until the freeze ends (R56, decisions 1, 4, 13)."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from datetime import timedelta
from typing import Any

import pytest
from aiohttp import FormData

from bridge.domain.members.messages import MemberIn
from bridge.services.statements import follow_ups
from bridge.settings import Settings
from tests.support.audit import BEFORE, IN_PERIOD, OTHER_PERIOD, PERIOD, Office, Person, office, open_office
from tests.support.journey import Journey
from tests.support.statements import completed, member, voided


@pytest.fixture
async def desk(settings: Settings) -> AsyncGenerator[Office]:
    """The API, called by anybody."""
    async with open_office(settings) as staff_office:
        yield staff_office


async def everything(member: Person) -> dict[str, Any]:
    """All that a member can read of their record, versions included."""
    read = {path: await member.good("GET", path) for path in ("/v1/log?period=all", "/v1/plan")}
    for kind in ("log", "plan"):
        rows = read["/v1/log?period=all" if kind == "log" else "/v1/plan"]["items"]
        read |= {row["id"]: await member.good("GET", f"/v1/{kind}/{row['id']}") for row in rows}
        if kind == "log":
            read |= {f"files {row['id']}": await member.good("GET", f"/v1/log/{row['id']}/evidence") for row in rows}
    return {**read, "comments": await member.good("GET", f"/v1/periods/{PERIOD}/comments")}


async def attempts(ids: dict[str, str], second: dict[str, str]) -> dict[str, tuple[str, str, Any]]:
    """Every way into the frozen scope, and out of it."""
    entry, item, file = ids["entry"], ids["item"], ids["file"]
    form = FormData()
    form.add_field("file", b"more", filename="more.txt", content_type="text/plain")
    return {
        "edit an entry": ("PATCH", f"/v1/log/{entry}", {"title": "Changed"}),
        "move an entry out": ("PATCH", f"/v1/log/{entry}", {"date": BEFORE}),
        "take an entry's date away": ("PATCH", f"/v1/log/{entry}", {"date": None}),
        "move an entry in": ("PATCH", f"/v1/log/{second['entry']}", {"date": IN_PERIOD}),
        "date an undated entry in": ("PATCH", f"/v1/log/{second['undated']}", {"date": IN_PERIOD}),
        "delete an entry": ("DELETE", f"/v1/log/{entry}", None),
        "restore an entry": ("POST", f"/v1/log/{second['deleted']}/restore", None),
        "add an entry": ("POST", "/v1/log", {"title": "New", "date": IN_PERIOD}),
        "edit a plan item": ("PATCH", f"/v1/plan/{item}", {"title": "Changed"}),
        "move a plan item out": ("PATCH", f"/v1/plan/{item}", {"start_date": BEFORE, "completion_date": BEFORE}),
        "delete a plan item": ("DELETE", f"/v1/plan/{item}", None),
        "unlink": ("DELETE", f"/v1/log/{entry}/links/{item}", None),
        "link another item": ("PUT", f"/v1/log/{entry}/links/{second['item']}", None),
        "link another entry": ("PUT", f"/v1/log/{second['entry']}/links/{item}", None),
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
    second = await outside(sam)
    ids = await sam.record()
    case = await team.select()
    await sam.submit(case)
    before, since = await everything(sam), (await sam.good("GET", f"/v1/log/{ids['entry']}"))["frozen_since"]
    for action, (method, path, body) in (await attempts(ids, second)).items():
        refusal = await sam(method, path, body)
        assert (action, refusal.status, refusal.problem) == (action, 409, "record-frozen")
        assert case in refusal.body["detail"], action
        assert since[11:16] in refusal.body["detail"], action
    assert await everything(sam) == before


async def test_what_is_outside_stays_open(desk: Office) -> None:
    """Decision 1: other years, undated entries and their plan are the member's to change meanwhile."""
    sam, team = await desk.add_member(), desk.staff()
    second = await outside(sam)
    await sam.record()
    await sam.submit(await team.select())
    await sam.good("PATCH", f"/v1/log/{second['entry']}", {"title": "Changed"})
    await sam.good("PATCH", f"/v1/log/{second['undated']}", {"title": "Changed"})
    await sam.good("PATCH", f"/v1/plan/{second['item']}", {"title": "Changed"})
    await sam.good("PUT", f"/v1/log/{second['entry']}/links/{second['item']}")
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
    new_calendar = MemberIn.model_validate(member("m-1", renewal_date="2026-07-01"))
    await desk.services.members.put("m-1", new_calendar)
    assert (await sam.good("GET", f"/v1/log/{ids['entry']}"))["period_id"] == PERIOD
    assert (await sam.good("GET", f"/v1/log/{free}"))["period_id"] == "2024-07-01"
    assert (await sam("PATCH", f"/v1/log/{free}", {"date": IN_PERIOD})).problem == "record-frozen"
    await team.decide(case, "return")
    assert (await sam.good("GET", f"/v1/log/{ids['entry']}"))["period_id"] == PERIOD
    await team.decide(case, "withdraw")
    assert (await sam.good("GET", f"/v1/log/{ids['entry']}"))["period_id"] == "2025-07-01"


async def move_years(desk: Office, renewal: str) -> None:
    """Let the membership system bring another renewal date."""
    await desk.services.members.put("m-1", MemberIn.model_validate(member("m-1", renewal_date=renewal)))


async def rows(sam: Person, period: str = "current") -> set[str]:
    """The entries that a period's list shows."""
    return {row["id"] for row in (await sam.good("GET", f"/v1/log?period={period}"))["items"]}


async def years(sam: Person) -> dict[str, tuple[bool, int]]:
    """Each year that is listed: whether it is frozen, and how many entries it counts."""
    listing = (await sam.good("GET", "/v1/periods"))["items"]
    return {row["id"]: (row["frozen"], row["counts"]["total"]) for row in listing}


async def test_a_moved_year_does_not_hide_what_is_frozen(desk: Office) -> None:
    """R82, R26: a frozen year stays one until the freeze ends, with its entries; those around it give way."""
    sam, team = await desk.add_member(), desk.staff()
    entry, free = await sam.entry("2026-07-04"), await sam.entry(BEFORE)
    case = await team.select()
    await sam.submit(case)
    await move_years(desk, "2026-06-01")
    refusals = [
        await sam("POST", "/v1/log", {"title": "x", "date": "2026-07-05"}),
        await sam("POST", "/v1/periods/current/comments", {"text": "x"}),
    ]
    assert [reply.problem for reply in refusals] == ["record-frozen"] * 2
    current = await sam.good("GET", "/v1/periods/current")
    enabled = {action["name"]: action["enabled"] for action in current["actions"]}
    assert (current["id"], current["frozen"], current["frozen_since"] is None) == (PERIOD, True, False)
    assert (enabled["log_activity"], enabled["add_comment"], enabled["export_pdf"]) == (False, False, True)
    assert await rows(sam) == await rows(sam, PERIOD) == {entry}
    assert await years(sam) == {PERIOD: (True, 1), "2025-06-01": (False, 0), "2024-06-01": (False, 1)}
    assert (await sam.good("GET", f"/v1/log/{free}"))["period_id"] == "2024-06-01"
    late = await sam.good("POST", "/v1/log", {"title": "x", "date": "2026-03-31"})
    assert late["period_id"] == "2025-06-01"
    await team.decide(case, "close")
    assert await years(sam) == {"2026-06-01": (False, 1), "2025-06-01": (False, 1), "2024-06-01": (False, 1)}
    assert await rows(sam) == {entry}


async def test_a_year_that_moved_is_submitted_as_it_was(desk: Office) -> None:
    """R82, decision 1: the case's days stay a year until it ends, and what is beside them is nowhere lost."""
    sam, team = await desk.add_member(), desk.staff()
    case = await team.select(period=OTHER_PERIOD)
    inside = {await sam.entry(day) for day in ("2025-04-01", "2025-07-04", "2026-03-31")}
    after, before = await sam.entry("2026-04-01"), await sam.entry("2025-03-31")
    await move_years(desk, "2026-06-01")
    open_year = {"2026-06-01": (False, 0), "2026-04-01": (False, 1), OTHER_PERIOD: (False, 3), "2024-06-01": (False, 1)}
    assert await years(sam) == open_year
    assert (await sam.submit(case))["counts"]["log"] == 3
    visible = {"2026-06-01": (False, 0), "2026-04-01": (False, 1), OTHER_PERIOD: (True, 3), "2024-06-01": (False, 1)}
    assert await years(sam) == visible
    listing = [await rows(sam, period) for period in ("2026-04-01", OTHER_PERIOD, "2024-06-01")]
    assert listing == [{after}, inside, {before}]
    record = (await team.good("GET", f"/v1/register/cases/{case}/record"))["log"]
    assert {entry["period_id"] for entry in record} == {OTHER_PERIOD}
    await sam.good("PATCH", f"/v1/log/{after}", {"title": "Still mine to change"})
    await team.decide(case, "return")
    assert await years(sam) == open_year
    await sam.submit(case)
    assert await years(sam) == visible
    await team.decide(case, "close")
    assert await years(sam) == {"2026-06-01": (False, 0), "2025-06-01": (False, 3), "2024-06-01": (False, 2)}


async def test_what_waits_for_a_moved_year_is_counted_there(bridge: Journey) -> None:
    """Decision 4, R82: completions that are held show with the frozen year, whichever came first."""
    await bridge.add_member("m-1", member("m-1"))
    async with office(bridge.settings, bridge.services) as desk:
        sam, team = desk.member("m-1"), desk.staff()
        case = await team.select()
        await sam.submit(case)
        await bridge.send(completed("m-1", "course/1"))
        await move_years(desk, "2026-06-01")
        await bridge.send(completed("m-1", "course/2"))
        assert (await sam.good("GET", "/v1/periods/current"))["counts"]["waiting"] == 2
        await team.decide(case, "close")
        counts = (await sam.good("GET", "/v1/periods"))["items"]
        assert sum(row["counts"]["draft"] for row in counts) == 2
        assert not any(row["counts"]["waiting"] for row in counts)


async def test_what_arrives_meanwhile_waits(bridge: Journey) -> None:
    """Decision 4: completions, merges and voidings of a frozen period are held, and done when it ends.

    The completions among them are counted.
    """
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
        assert (await sam.good("GET", f"/v1/periods/{PERIOD}"))["counts"]["waiting"] == 2
        record = await team("GET", f"/v1/register/cases/{case}/record")
        assert record.headers["ETag"] == f'"{receipt["digest"]}"'
        await team.decide(case, "return")
        period = await sam.good("GET", f"/v1/periods/{PERIOD}")
        assert (period["counts"]["waiting"], period["counts"]["draft"]) == (0, 2)
        rows = (await sam.good("GET", f"/v1/log?period={PERIOD}"))["items"]
        entries = [await sam.good("GET", f"/v1/log/{row['id']}") for row in rows]
        assert sorted(len(entry["provenance"]["statement_ids"]) for entry in entries) == [1, 2]


async def test_what_a_kill_left_of_a_freezes_end_is_made_good(
    desk: Office, bridge: Journey, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Decision 4: what was held is written down as work in the act that ends the freeze; the worker's clock does it."""
    sam, team = await desk.add_member(), desk.staff()
    case = await team.select()
    await sam.submit(case)
    (held,) = await bridge.send(completed("m-1", at=f"{IN_PERIOD}T10:00:00Z"))
    assert held.disposition == "held"
    monkeypatch.setattr(follow_ups, "PATIENCE", 0)
    await team.decide(case, "close")
    assert [entry["source"] for entry in await bridge.log("m-1")] == []
    monkeypatch.setattr(follow_ups, "LEFT_BEHIND", timedelta(0))
    assert await desk.services.follow_ups.resume() == 1
    assert await desk.services.follow_ups.resume() == 0
    assert [entry["source"] for entry in await bridge.log("m-1")] == ["learning_centre"]


async def test_the_year_of_a_case_stands_from_its_opening_to_its_end(desk: Office) -> None:
    """R82: a calendar that moves while a case is only selected leaves the case its year, and moves entries after it."""
    sam, team = await desk.add_member(), desk.staff()
    entry = await sam.entry(IN_PERIOD)
    case = await team.select()
    new_calendar = MemberIn.model_validate(member("m-1", renewal_date="2026-07-01"))
    await desk.services.members.put("m-1", new_calendar)
    assert (await sam.good("GET", f"/v1/periods/{PERIOD}"))["counts"]["total"] == 1
    assert (await sam.good("GET", f"/v1/log/{entry}"))["period_id"] == PERIOD
    await team.decide(case, "withdraw")
    assert (await sam.good("GET", f"/v1/log/{entry}"))["period_id"] == "2025-07-01"
    assert (await sam("GET", f"/v1/periods/{PERIOD}")).status == 404
    window = {"member_id": "m-1", "period_id": "2025-07-01"}
    assert (await team("POST", "/v1/register/cases", window)).status == 201
