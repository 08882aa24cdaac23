"""The member's plan over HTTP (R1-R15, R46)."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support.portal import Portal, full_item


async def titles(browser: Any, query: str = "") -> list[str]:
    """The titles of the plan's first page."""
    return [item["title"] for item in (await browser.get(f"/v1/plan{query}"))["items"]]


async def test_a_need_is_planned_and_read_back(portal: Portal) -> None:
    """R6, R7, R8: an item is made with details and reflections, numbered, and read as it was written."""
    member = await portal.member()
    text = "First line.\r\n\tSecond — with an accent: é, and an emoji 🌱.\n"
    answer = await member.call("POST", "/v1/plan", full_item(learning_need=text, themes=["Ageing", "Loss"]))
    assert (answer.status, answer.etag) == (201, '"1"')
    item = await member.get(answer.headers["Location"])
    assert item == answer.body
    assert (item["learning_need"], item["themes"]) == (text, ["Ageing", "Loss"])
    assert (item["reference"], item["status"], item["complete"], item["missing_fields"]) == ("P1", "planned", True, [])
    assert item["period_ids"] == ["2026-04-01"]


async def test_nothing_is_needed_for_saving(portal: Portal) -> None:
    """R9, R10: an empty item is saved, is not complete, and names the fields that are left."""
    member = await portal.member()
    item = await member.post("/v1/plan", {})
    names = [field["name"] for field in (await member.get("/v1/forms/plan"))["fields"] if field["required"]]
    assert (item["complete"], item["missing_fields"]) == (False, names)
    assert item["period_ids"] == []


async def test_what_is_unfinished_is_found_again(portal: Portal) -> None:
    """R11: incomplete items have a filter and a count in the overview."""
    member = await portal.member()
    await member.post("/v1/plan", full_item(title="Whole"))
    await member.post("/v1/plan", full_item(title="Half", relevance=None))
    assert await titles(member, "?complete=false") == ["Half"]
    assert await titles(member, "?complete=true") == ["Whole"]
    assert (await member.get("/v1/periods/current"))["plan"] == {"total": 2, "incomplete": 1}


async def test_the_plan_keeps_all_years(portal: Portal) -> None:
    """R1, R2, R4: several needs a year, every year shown unless one is asked for; an item lies where its days do."""
    member = await portal.member()
    for title, start, end in (
        ("PastRetention", "2023-05-01", "2023-06-01"),
        ("Across", "2025-12-01", "2026-06-01"),
        ("Now", "2026-05-01", "2026-11-30"),
        ("Open", None, "2026-08-01"),
    ):
        await member.post("/v1/plan", full_item(title=title, start_date=start, completion_date=end))
    await member.post("/v1/plan", {"title": "Some day"})
    assert await titles(member, "?sort=start_date,title") == ["PastRetention", "Across", "Now", "Open", "Some day"]
    assert await titles(member, "?period=all&sort=start_date,title") == [
        "PastRetention",
        "Across",
        "Now",
        "Open",
        "Some day",
    ]
    assert await titles(member, "?period=current") == ["Across", "Now", "Open"]
    assert await titles(member, "?period=2025-04-01") == ["Across"]
    assert await titles(member, "?period=2023-04-01") == ["PastRetention"]
    assert (await member.call("GET", "/v1/plan?period=2023-04-02")).status == 404


SORTED_TITLES: list[tuple[str, list[str | None]]] = [
    ("title", ["álpha", "Beta", "gamma", None]),
    ("-title", ["gamma", "Beta", "álpha", None]),
    ("start_date", ["gamma", "álpha", None, "Beta"]),
    ("-start_date", [None, "álpha", "gamma", "Beta"]),
    ("completion_date,-title", ["gamma", "Beta", None, "álpha"]),
]


async def test_the_plan_sorts(portal: Portal) -> None:
    """R5: by title, start date and completion date, both ways, alone or together; empty values last."""
    member = await portal.member()
    for title, start, end in (
        ("Beta", None, "2026-09-01"),
        ("gamma", "2026-04-02", "2026-09-01"),
        ("álpha", "2026-05-01", None),
        (None, "2026-06-01", "2026-10-01"),
    ):
        await member.post("/v1/plan", {"title": title, "start_date": start, "completion_date": end})
    for sort, expected in SORTED_TITLES:
        assert await titles(member, f"?sort={sort}") == expected
        assert [item["title"] for item in await member.pages(f"/v1/plan?limit=1&sort={sort}")] == expected


async def test_the_plan_is_searched_and_filtered(portal: Portal) -> None:
    """R2, R20: words in any text, theme and status narrow the plan, together."""
    member = await portal.member()
    await member.post("/v1/plan", full_item(title="Grief", themes=["Loss"], notes="Überraschung"))
    await member.post("/v1/plan", full_item(title="Grief groups", themes=["Loss", "Groups"], status="done"))
    await member.post("/v1/plan", full_item(title="Couples", themes=["Groups"]))
    assert await titles(member, "?q=gri&sort=title") == ["Grief", "Grief groups"]
    assert await titles(member, "?q=UBER") == ["Grief"]
    assert await titles(member, "?q=grief%20group") == ["Grief groups"]
    assert await titles(member, "?theme=Groups&sort=-title") == ["Grief groups", "Couples"]
    assert await titles(member, "?theme=Groups&status=planned") == ["Couples"]
    assert await titles(member, "?q=grief&theme=Loss&status=done&complete=true&period=current") == ["Grief groups"]
    assert await titles(member, "?q=!!") == []


async def test_plans_change(portal: Portal) -> None:
    """R3, R14, R15: an item is amended any number of times, and what was not done stays, with the reason."""
    member = await portal.member()
    item = await member.post("/v1/plan", full_item())
    path = f"/v1/plan/{item['id']}"
    first = await member.patch(path, {"title": "Frailty", "notes": "Ask in supervision."})
    second = await member.patch(path, {"status": "not_pursued", "status_reason": "Cancelled.", "notes": None})
    assert (first["version"], second["version"]) == (2, 3)
    assert (second["title"], second["status"], second["status_reason"]) == ("Frailty", "not_pursued", "Cancelled.")
    assert (second["notes"], second["reference"]) == (None, "P1")
    assert await member.get(path) == second


async def test_a_deleted_item_can_be_restored(portal: Portal) -> None:
    """R13, decision 5: deleting takes an item out of sight for 30 days; its number is not used again."""
    member = await portal.member()
    item = await member.post("/v1/plan", full_item())
    path = f"/v1/plan/{item['id']}"
    await member.delete(path)
    assert (await member.call("GET", path)).status == 404
    assert await titles(member) == []
    assert (await member.post("/v1/plan", {}))["reference"] == "P2"
    restored_entry = await member.post(f"{path}/restore")
    assert {**restored_entry, "version": 1, "updated_at": ""} == {**item, "updated_at": ""}
    assert (await member.post(f"{path}/restore"))["version"] == restored_entry["version"], "a live item stays as it is"


async def test_what_was_deleted_long_ago_is_gone(portal: Portal) -> None:
    """Decision 5: after 30 days a deleted item is not restored."""
    member = await portal.member()
    item = await member.post("/v1/plan", full_item())
    await member.delete(f"/v1/plan/{item['id']}")
    await portal.age_deletion("plan_items", item["id"], days=31)
    assert (await member.call("POST", f"/v1/plan/{item['id']}/restore")).slug == "conflict"


async def test_deleting_offers_keeping_first(portal: Portal) -> None:
    """R14: the description of DELETE names the status that is to be offered before."""
    member = await portal.member()
    document = await member.get("/openapi.json")
    assert "not_pursued" in document["paths"]["/v1/plan/{item_id}"]["delete"]["description"]


WRONG_FIELDS: list[tuple[Any, str, str]] = [
    ({"start_date": "2026-06-01", "completion_date": "2026-05-01"}, "completion_date", "before “Start date”"),
    ({"start_date": "01/06/2026"}, "start_date", "YYYY-MM-DD"),
    ({"status": "given_up"}, "status", "Not pursued"),
    ({"themes": ["x" * 101]}, "themes", "at most 100 characters"),
    ({"minutes": -1}, "minutes", "at least 0"),
    ({"title": "x" * 501}, "title", "at most 500 characters"),
    ({"log_ids": []}, "log_ids", "read-only"),
    ({"complete": True}, "complete", "read-only"),
    ({"colour": "red"}, "colour", "no such field"),
]


async def test_a_wrong_field_is_named_with_its_remedy(portal: Portal, subtests: pytest.Subtests) -> None:
    """R86: a refused field comes with its label and what to do, and nothing is saved."""
    for body, field, words in WRONG_FIELDS:
        with subtests.test(field):
            member = await portal.member()
            answer = await member.call("POST", "/v1/plan", body)
            assert (answer.status, answer.slug) == (422, "validation")
            assert words in answer.faults[field]
            assert (await member.get("/v1/plan"))["total"] == 0


async def test_a_plan_is_its_members_own(portal: Portal) -> None:
    """R64: another member finds nothing, whatever the call, and cannot tell that there is anything."""
    item = await (await portal.member("m-1")).post("/v1/plan", full_item())
    colleague = await portal.member("m-2")
    path = f"/v1/plan/{item['id']}"
    calls: list[tuple[str, str, Any]] = [
        ("GET", path, None),
        ("PATCH", path, {}),
        ("DELETE", path, None),
        ("POST", f"{path}/restore", None),
    ]
    for method, place, body in calls:
        assert (await colleague.call(method, place, body, if_match="*")).status == 404
    assert (await colleague.get("/v1/plan"))["total"] == 0
    assert (await colleague.post("/v1/plan", {}))["reference"] == "P1", "numbers are each member's own"


async def test_a_frozen_plan_does_not_change(portal: Portal) -> None:
    """R56: an item of the submitted year refuses every change, none is added to it, and later years stay open."""
    member = await portal.member()
    item = await member.post("/v1/plan", full_item(start_date="2025-05-01", completion_date="2025-06-01"))
    old = await member.post("/v1/plan", full_item(start_date="2025-05-01", completion_date="2025-06-01"))
    await member.delete(f"/v1/plan/{old['id']}")
    await portal.freeze("m-1", "2025-04-01", "2025-04-01", "2026-03-31")
    path = f"/v1/plan/{item['id']}"
    refusals = [
        await member.call("PATCH", path, {"title": "No"}, if_match="*"),
        await member.call("DELETE", path, if_match="*"),
        await member.call("POST", "/v1/plan", full_item(start_date="2025-05-01")),
        await member.call("POST", f"/v1/plan/{old['id']}/restore"),
    ]
    assert [answer.slug for answer in refusals] == ["record-frozen"] * 4
    assert "case-1" in refusals[0].body["detail"]
    body = await member.get(path)
    assert (body["frozen"], body["frozen_since"], body["title"]) == (True, "2026-06-01T00:00:00Z", item["title"])
    later = await member.post("/v1/plan", full_item())
    reply = await member.call("PATCH", f"/v1/plan/{later['id']}", {"start_date": "2025-05-01"}, if_match="*")
    assert reply.slug == "record-frozen"
    await portal.thaw("m-1")
    assert (await member.patch(path, {"title": "Yes"}))["title"] == "Yes"
