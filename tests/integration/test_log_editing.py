"""Entries of the log, made by hand or by the Learning centre, and what a member does with them (R24-R46, R76-R79)."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from tests.support.audit import office
from tests.support.journey import Journey
from tests.support.portal import LOG_TEXTS, Portal, full_entry, portal_over
from tests.support.statements import activity_of, completed, member, voided
from tests.support.storage import storage


def today() -> date:
    """The local day."""
    return datetime.now(ZoneInfo("Europe/London")).date()


async def test_an_activity_is_logged_by_hand(portal: Portal) -> None:
    """R24, R32, R42: an entry keeps every text byte for byte, is numbered, and is read as it was written."""
    browser = await portal.member()
    text = " Tabs\tand lines\r\n\n— “quotes”, <b>marks</b>, =1+1, 🌱\u200d🌱 \u202eright to left "
    answer = await browser.call(
        "POST", "/v1/log", full_entry(learning=text, tags=["a", "b"], url="https://example.org/")
    )
    assert (answer.status, answer.etag) == (201, '"1"')
    entry = await browser.get(answer.headers["Location"])
    assert entry == answer.body
    assert (entry["learning"], entry["tags"], entry["reference"]) == (text, ["a", "b"], "L1")
    assert (entry["source"], entry["provenance"], entry["period_id"]) == ("manual", None, "2026-04-01")


async def test_long_reflections_are_kept_whole(portal: Portal) -> None:
    """R42: 100,000 characters are kept without truncation; one more is refused by name."""
    browser = await portal.member()
    text = "é" * 100_000
    assert (await browser.post("/v1/log", {"learning": text}))["learning"] == text
    refusal = await browser.call("POST", "/v1/log", {"learning": text + "x"})
    assert "100,000" in refusal.faults["learning"]


async def test_an_entry_starts_as_a_draft(portal: Portal) -> None:
    """R35, R37, R44: nothing is needed for saving, and what does not say otherwise is a draft that stays."""
    browser = await portal.member()
    entry = await browser.post("/v1/log", {})
    assert (entry["draft"], entry["complete"], entry["finished_at"]) == (True, False, None)
    full = await browser.post("/v1/log", {name: value for name, value in full_entry().items() if name != "draft"})
    assert (full["draft"], full["complete"], full["missing_fields"]) == (True, False, [])


async def test_complete_is_draft_off_and_no_gap(portal: Portal) -> None:
    """R25, R34, R38: the three states, each saved; complete follows from the fields and is never a client's to set."""
    browser = await portal.member()
    entry = await browser.post("/v1/log", {"title": "Grief"})
    path = f"/v1/log/{entry['id']}"
    gaps = await browser.patch(path, {"draft": False})
    assert (gaps["draft"], gaps["complete"]) == (False, False)
    assert gaps["missing_fields"] == ["type", "date", *LOG_TEXTS]
    assert gaps["finished_at"] is not None
    whole = await browser.patch(path, full_entry())
    assert (whole["complete"], whole["missing_fields"]) == (True, [])
    new_entry = await browser.patch(path, {"evaluation": " \n"})
    assert (new_entry["draft"], new_entry["complete"], new_entry["missing_fields"]) == (False, False, ["evaluation"])
    assert (await browser.patch(path, {"evaluation": "Well."}))["complete"] is True
    again = await browser.patch(path, {"draft": True})
    assert (again["complete"], again["finished_at"]) == (False, None)
    refusal = await browser.call("PATCH", path, {"complete": True}, if_match="*")
    assert "read-only" in refusal.faults["complete"]


async def test_facts_first_reflections_later(portal: Portal) -> None:
    """R36: the groups of the form can be filled in one after the other."""
    browser = await portal.member()
    form = (await browser.get("/v1/forms/log"))["fields"]
    groups = {name: [f["name"] for f in form if f["group"] == name] for name in ("factual", "reflective")}
    body = full_entry()
    entry = await browser.post("/v1/log", {name: body[name] for name in groups["factual"] if name in body})
    assert set(entry["missing_fields"]) <= set(groups["reflective"])
    reflections = {name: body[name] for name in groups["reflective"] if name in body}
    new_entry = await browser.patch(f"/v1/log/{entry['id']}", {**reflections, "draft": False})
    assert new_entry["complete"] is True


async def test_completing_is_announced_once(portal: Portal) -> None:
    """R38: the act that makes an entry complete leaves an event with ids and dates only; no other act does."""
    browser = await portal.member()
    entry = await browser.post("/v1/log", full_entry(draft=True))
    path = f"/v1/log/{entry['id']}"
    await browser.patch(path, {"draft": False})
    await browser.patch(path, {"notes": None} if "notes" in entry else {"provider": "Someone"})
    rows = await storage(portal.services).outbox.all({"type": "log.completed"})
    assert [(row["_id"], row["data"]) for row in rows] == [
        (f"log.completed:{entry['id']}:2", {"entry_id": entry["id"], "date": "2026-05-04"})
    ]


async def test_an_entry_may_be_backdated_but_not_lie_ahead(portal: Portal) -> None:
    """R16, R33: any past day, which decides the period; tomorrow is refused with the remedy."""
    browser = await portal.member()
    past = await browser.post("/v1/log", full_entry(date="1999-12-31"))
    assert (past["period_id"], past["complete"]) == ("1999-04-01", True)
    assert (await browser.post("/v1/log", {"date": today().isoformat()}))["period_id"] == "2026-04-01"
    ahead = (today() + timedelta(days=1)).isoformat()
    refusal = await browser.call("POST", "/v1/log", {"date": ahead})
    assert "“Date completed” cannot be in the future" in refusal.faults["date"]
    reply = await browser.call("PATCH", f"/v1/log/{past['id']}", {"date": ahead}, if_match="*")
    assert reply.status == 422
    assert (await browser.patch(f"/v1/log/{past['id']}", {"date": "2020-01-01"}))["period_id"] == "2019-04-01"


WRONG_FIELDS: list[tuple[Any, str, str]] = [
    ({"type": "holiday"}, "type", "Choose one of"),
    ({"date": "2026-02-30"}, "date", "YYYY-MM-DD"),
    ({"date": 20260504}, "date", "YYYY-MM-DD"),
    ({"minutes": 1.5}, "minutes", "whole number"),
    ({"minutes": -5}, "minutes", "at least 0"),
    ({"part": 0}, "part", "at least 1"),
    ({"url": "ftp://example.org"}, "url", "full web address"),
    ({"participatory": "yes"}, "participatory", "true or false"),
    ({"start_date": "2026-06-01", "date": "2026-05-01"}, "date", "cannot be before “Date started”"),
    ({"draft": None}, "draft", "true or false"),
    ({"source": "import"}, "source", "read-only"),
    ({"provenance": {}}, "provenance", "read-only"),
    ({"period_id": "2026-04-01"}, "period_id", "read-only"),
    ({"plan_ids": []}, "plan_ids", "read-only"),
    ({"colour": "red"}, "colour", "no such field"),
]


async def test_a_wrong_field_is_named_with_its_remedy(portal: Portal, subtests: pytest.Subtests) -> None:
    """R86: a refused field comes with its label and what to do, and nothing is saved."""
    for body, field, words in WRONG_FIELDS:
        with subtests.test(field):
            browser = await portal.member()
            answer = await browser.call("POST", "/v1/log", body)
            assert (answer.status, answer.slug) == (422, "validation")
            assert words in answer.faults[field]
            assert (await browser.get("/v1/log?period=all"))["total"] == 0


async def test_an_automatic_entry_is_edited_like_any_other(bridge: Journey) -> None:
    """R27, R29, R30, R37: it starts as a pre-filled draft with its number, and its provenance is shown, unwritable."""
    await bridge.add_member("m-1", member())
    statements = [completed(activity=f"course/{n}", at=f"2026-05-0{n}T10:00:00Z") for n in (3, 1, 2)]
    await bridge.send(*statements)
    async with portal_over(bridge.settings) as portal:
        browser = portal.browser("m-1", "member")
        rows = (await browser.get("/v1/log?sort=date"))["items"]
        assert [(row["reference"], row["date"]) for row in rows] == [
            ("L2", "2026-05-01"),
            ("L3", "2026-05-02"),
            ("L1", "2026-05-03"),
        ]
        path = f"/v1/log/{rows[0]['id']}"
        entry = await browser.get(path)
        assert (entry["source"], entry["draft"], entry["title"]) == ("learning_centre", True, "Working with grief")
        assert entry["provenance"]["statement_ids"] == [statements[1]["id"]]
        assert (
            "read-only" in (await browser.call("PATCH", path, {"provenance": None}, if_match="*")).faults["provenance"]
        )
        body = {name: value for name, value in full_entry(title="My words").items() if name != "date"}
        new_entry = await browser.patch(path, body)
        assert (new_entry["complete"], new_entry["title"]) == (True, "My words")
        assert new_entry["provenance"]["original_title"] == "Working with grief"
        assert (await browser.post("/v1/log", {}))["reference"] == "L4"


async def test_a_draft_is_there_for_whichever_call_comes_first(bridge: Journey, subtests: pytest.Subtests) -> None:
    """The id that ``log.drafted`` tells can be used at once, and not only after the list was looked at."""
    await bridge.add_member("m-1", member())
    async with office(bridge.settings, bridge.services) as desk:
        sam = desk.member("m-1")
        item = await sam.plan_item()
        calls: list[tuple[str, str, Any]] = [
            ("GET", "{path}/evidence", None),
            ("PUT", f"{{path}}/links/{item}", None),
            ("POST", "{path}/copy", None),
            ("POST", "/v1/periods/2026-04-01/comments", {"text": "x", "refers_to": None}),
            ("DELETE", "{path}", None),
            ("PATCH", "{path}", {"title": "x"}),
        ]
        for number, (method, target, body) in enumerate(calls):
            with subtests.test(method=method, target=target):
                (outcome,) = await bridge.send(completed(activity=f"course/{number}"))
                path = f"/v1/log/{outcome.entry_id}"
                if body and "refers_to" in body:
                    body["refers_to"] = outcome.entry_id
                assert (await sam(method, target.format(path=path), body)).status < 300
                assert (await sam("GET", path)).status == (404 if method == "DELETE" else 200)


async def test_an_entry_is_shown_anew_when_its_statement_was_voided(bridge: Journey) -> None:
    """An entry that the member has changed stays, flagged, and a conditional GET tells of the flag."""
    await bridge.add_member("m-1", member())
    statement = completed()
    (outcome,) = await bridge.send(statement)
    async with office(bridge.settings, bridge.services) as desk:
        sam, path = desk.member("m-1"), f"/v1/log/{outcome.entry_id}"
        tag = (await sam("PATCH", path, {"title": "Mine"})).headers["ETag"]
        for _ in range(2):  # the second one is a repeat
            await bridge.send(voided(statement["id"]), key="statement.voided")
        answer = await sam("GET", path, **{"If-None-Match": tag})
        assert (answer.status, answer.body["provenance"]["voided"]) == (200, True)


async def test_a_certificate_is_a_link_and_never_needed(portal: Portal) -> None:
    """R41, R67, R69: optional fields, a certificate's link among them, do not count for completeness."""
    browser = await portal.member()
    form = (await browser.get("/v1/forms/log"))["fields"]
    optional = {field["name"] for field in form if not field["required"]}
    assert {"certificate_link", "minutes", "tags"} <= optional
    assert (await browser.post("/v1/log", full_entry()))["complete"] is True


async def test_a_deleted_entry_can_be_restored(portal: Portal) -> None:
    """Decision 5: deleting takes an entry out of every list and count for 30 days; restoring brings it back."""
    browser = await portal.member()
    entry = await browser.post("/v1/log", full_entry(minutes=60))
    path = f"/v1/log/{entry['id']}"
    await browser.delete(path)
    assert (await browser.call("GET", path)).status == 404
    assert (await browser.call("DELETE", path, if_match="*")).status == 404
    assert (await browser.get("/v1/periods/current"))["counts"]["total"] == 0
    restored_entry = await browser.post(f"{path}/restore")
    assert {**restored_entry, "version": 1, "updated_at": ""} == {**entry, "updated_at": ""}
    period = await browser.get("/v1/periods/current")
    assert (period["counts"]["total"], period["minutes"]) == (1, 60)
    assert (await browser.post(f"{path}/restore"))["version"] == restored_entry["version"], (
        "a live entry stays as it is"
    )
    await browser.delete(path)
    await portal.age_deletion("log_entries", entry["id"], days=31)
    assert (await browser.call("POST", f"{path}/restore")).slug == "conflict"


async def test_a_deleted_automatic_entry_does_not_come_back_by_itself(bridge: Journey) -> None:
    """Decision 5: a redelivery, and a further completion of the same, leave the tombstone deleted."""
    await bridge.add_member("m-1", member())
    statement = completed()
    await bridge.send(statement)
    async with portal_over(bridge.settings) as portal:
        browser = portal.browser("m-1", "member")
        (row,) = (await browser.get("/v1/log"))["items"]
        await browser.delete(f"/v1/log/{row['id']}")
        await bridge.send(statement, completed())
        assert (await browser.get("/v1/log?period=all"))["total"] == 0
        await browser.post(f"/v1/log/{row['id']}/restore")
        assert (await browser.get("/v1/log"))["total"] == 1


async def test_a_copy_is_a_new_draft(portal: Portal) -> None:
    """R77, R79: texts are copied; days, number, links and the finished state are not, and the original stays."""
    browser = await portal.member()
    item = await browser.post("/v1/plan", {})
    entry = await browser.post("/v1/log", full_entry(minutes=30, series_id="Group", part=1))
    await browser.link(entry, item)
    copy = await browser.call("POST", f"/v1/log/{entry['id']}/copy")
    assert (copy.status, copy.headers["Location"]) == (201, f"/v1/log/{copy.body['id']}")
    shared_fields = ("title", "type", "minutes", "series_id", "part", *LOG_TEXTS)
    assert [copy.body[name] for name in shared_fields] == [entry[name] for name in shared_fields]
    assert (copy.body["date"], copy.body["draft"], copy.body["plan_ids"]) == (None, True, [])
    assert (copy.body["reference"], copy.body["source"], copy.body["provenance"]) == ("L2", "manual", None)
    assert (await browser.get(f"/v1/log/{entry['id']}"))["complete"] is True


async def test_a_copy_of_an_automatic_entry_has_no_provenance(bridge: Journey) -> None:
    """R77: the copy is the member's own, and a voided statement does not reach it."""
    await bridge.add_member("m-1", member())
    await bridge.send(completed(object=activity_of("course/1", "Group")))
    async with portal_over(bridge.settings) as portal:
        browser = portal.browser("m-1", "member")
        (row,) = (await browser.get("/v1/log"))["items"]
        copy = await browser.post(f"/v1/log/{row['id']}/copy")
        assert (copy["title"], copy["source"], copy["provenance"]) == ("Group", "manual", None)


async def test_work_across_years(portal: Portal) -> None:
    """R76, R78, R79: one entry a year as parts of a series, or a draft that is dated when it is done; all are legal."""
    browser = await portal.member()
    parts = [
        await browser.post("/v1/log", full_entry(title=f"Group, year {n}", date=day, series_id="Group", part=n))
        for n, day in ((1, "2025-03-01"), (2, "2026-03-01"))
    ]
    assert [(part["period_id"], part["part"], part["complete"]) for part in parts] == [
        ("2024-04-01", 1, True),
        ("2025-04-01", 2, True),
    ]
    draft = await browser.post("/v1/log", {"title": "Diploma", "start_date": "2024-09-01"})
    assert [row["title"] for row in (await browser.get("/v1/log"))["items"]] == ["Diploma"]
    new_entry = await browser.patch(f"/v1/log/{draft['id']}", full_entry(title="Diploma", date="2026-06-30"))
    assert (new_entry["period_id"], new_entry["complete"]) == ("2026-04-01", True)


async def test_an_undated_draft_stays_in_sight(portal: Portal) -> None:
    """R76: the current period's list ends with what has no date; another period's has it not."""
    browser = await portal.member()
    await browser.post("/v1/log", {"title": "Undated"})
    await browser.post("/v1/log", {"title": "Old draft", "date": "2025-05-01"})
    await browser.post("/v1/log", {"title": "Now", "date": "2026-05-01"})
    for query, expected in (
        ("", ["Now", "Undated"]),
        ("?sort=date", ["Now", "Undated"]),
        ("?period=2026-04-01", ["Now"]),
        ("?period=2025-04-01", ["Old draft"]),
        ("?period=all", ["Now", "Old draft", "Undated"]),
        ("?period=all&draft=true&sort=title", ["Now", "Old draft", "Undated"]),
    ):
        page = await browser.get(f"/v1/log{query}")
        assert [row["title"] for row in page["items"]] == expected, query
        assert page["total"] == len(expected)
    assert (await browser.get("/v1/periods/current"))["undated"] == 1


async def test_a_frozen_entry_does_not_change(portal: Portal) -> None:
    """R56, invariant 4: nothing of a submitted year changes, nothing moves into it, and later years stay open."""
    browser = await portal.member()
    entry = await browser.post("/v1/log", full_entry(date="2025-05-04"))
    old = await browser.post("/v1/log", full_entry(date="2025-05-04"))
    await browser.delete(f"/v1/log/{old['id']}")
    later = await browser.post("/v1/log", full_entry())
    await portal.freeze("m-1", "2025-04-01", "2025-04-01", "2026-03-31")
    path = f"/v1/log/{entry['id']}"
    refusals = [
        await browser.call("PATCH", path, {"title": "No"}, if_match="*"),
        await browser.call("PATCH", path, {"title": "No"}, if_match='"99"'),
        await browser.call("DELETE", path, if_match="*"),
        await browser.call("POST", f"/v1/log/{old['id']}/restore"),
        await browser.call("POST", "/v1/log", {"date": "2026-03-31"}),
        await browser.call("PATCH", f"/v1/log/{later['id']}", {"date": "2025-04-01"}, if_match="*"),
    ]
    assert [answer.slug for answer in refusals] == ["record-frozen"] * 6
    assert (await browser.get(path))["frozen_since"] == "2026-06-01T00:00:00Z"
    assert (await browser.patch(f"/v1/log/{later['id']}", {"date": "2026-04-01"}))["date"] == "2026-04-01"
    copy = await browser.post(f"{path}/copy")
    assert copy["date"] is None, "what was submitted can be copied into an open year"
    period = await browser.get("/v1/periods/2025-04-01")
    assert (period["frozen"], period["frozen_since"]) == (True, "2026-06-01T00:00:00Z")
    assert {"name": "log_activity", "enabled": False, "reason": "record_frozen"} in period["actions"]


async def test_a_log_is_its_members_own(portal: Portal) -> None:
    """R64: another member finds nothing, whatever the call, and cannot tell that there is anything."""
    entry = await (await portal.member("m-1")).post("/v1/log", full_entry())
    colleague = await portal.member("m-2")
    path = f"/v1/log/{entry['id']}"
    calls: list[tuple[str, str, Any]] = [
        ("GET", "", None),
        ("PATCH", "", {}),
        ("DELETE", "", None),
        ("POST", "/restore", None),
        ("POST", "/copy", None),
    ]
    for method, rest, body in calls:
        assert (await colleague.call(method, path + rest, body, if_match="*")).status == 404
    assert (await colleague.get("/v1/log?period=all"))["total"] == 0


async def test_registered_or_not_the_tool_is_the_same(portal: Portal) -> None:
    """R80, R81: registration changes guidance only; an empty record is a valid one."""
    colleague = await portal.member("m-2", registered=False)
    me = await colleague.get("/v1/me")
    assert (me["registered"], me["requirements_apply"]) == (False, False)
    assert me["current_period"]["counts"]["total"] == 0
    assert (await colleague.post("/v1/log", full_entry()))["complete"] is True


async def test_personal_text_is_in_no_event(portal: Portal) -> None:
    """Minimisation: what a member writes is in none of the events that its acts leave."""
    browser = await portal.member()
    entry = await browser.post("/v1/log", full_entry(title="Secret title"))
    await browser.patch(f"/v1/log/{entry['id']}", {"learning": "Secret learning"})
    rows = await storage(portal.services).outbox.all()
    assert rows
    assert "Secret" not in str(rows)
    assert datetime.now(UTC) - rows[0]["at"] < timedelta(minutes=1)
