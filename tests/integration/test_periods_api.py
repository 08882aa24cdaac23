"""Membership years over HTTP: progress, counts and what can be done (R1, R16-R19, R26, R45, R54, R82)."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

import pytest

from bridge.domain.members.messages import MemberIn
from tests.support.journey import Journey
from tests.support.portal import Portal, full_entry, full_item, portal_over
from tests.support.statements import completed, member, voided

ZERO_COUNTS = {"total": 0, "draft": 0, "incomplete": 0, "complete": 0, "needs_attention": 0, "waiting": 0}


async def test_the_current_period_says_how_far_it_is(portal: Portal) -> None:
    """R17, R18: elapsed time as numbers and in words, whatever was done."""
    browser = await portal.member()
    period = await browser.get("/v1/periods/current")
    elapsed = period["elapsed"]
    start, end, today = (date.fromisoformat(text) for text in (period["start"], period["end"], elapsed["as_of"]))
    assert elapsed["days_elapsed"] == (today - start).days + 1
    assert elapsed["days_total"] == (end - start).days + 1 == elapsed["days_elapsed"] + elapsed["days_remaining"]
    assert f"Day {elapsed['days_elapsed']} of {elapsed['days_total']}" in elapsed["text"]
    assert (period["id"], period["current"], period["counts"]) == ("2026-04-01", True, ZERO_COUNTS)
    assert await browser.get(f"/v1/periods/{period['id']}") == period


async def test_every_year_with_anything_in_it_is_listed(portal: Portal) -> None:
    """R19: newest first, from the first entry on, with label, days, counts and whether it is frozen or current."""
    browser = await portal.member(registered_since="2025-01-01")
    assert [row["id"] for row in (await browser.get("/v1/periods"))["items"]] == [
        "2026-04-01",
        "2025-04-01",
        "2024-04-01",
    ]
    await browser.post("/v1/log", full_entry(date="2023-03-31"))
    rows = (await browser.get("/v1/periods"))["items"]
    assert [row["id"] for row in rows] == ["2026-04-01", "2025-04-01", "2024-04-01", "2023-04-01", "2022-04-01"]
    assert (rows[-1]["label"], rows[-1]["counts"]["complete"]) == ("1 April 2022 to 31 March 2023", 1)
    assert [row["current"] for row in rows] == [True, False, False, False, False]
    assert rows[0]["frozen"] is False


async def test_a_period_counts_by_state_and_type(portal: Portal) -> None:
    """R11, R25, R30, R45: counts by state, minutes, and the same by type for a range of activities."""
    browser = await portal.member()
    await browser.post("/v1/log", full_entry(minutes=60))
    await browser.post("/v1/log", full_entry(minutes=30, learning=None))
    await browser.post("/v1/log", full_entry(type="reading_and_research", draft=True))
    await browser.post("/v1/log", {"date": "2026-05-04"})
    period = await browser.get("/v1/periods/current")
    assert period["counts"] == {
        **ZERO_COUNTS,
        "total": 4,
        "draft": 2,
        "incomplete": 1,
        "complete": 1,
        "needs_attention": 3,
    }
    assert period["minutes"] == 90
    assert period["by_type"] == {
        "course": {"total": 2, "draft": 0, "incomplete": 1, "complete": 1},
        "none": {"total": 1, "draft": 1, "incomplete": 0, "complete": 0},
        "reading_and_research": {"total": 1, "draft": 1, "incomplete": 0, "complete": 0},
    }


async def test_each_action_says_whether_and_why_not(portal: Portal) -> None:
    """R26, R54: submit for review is always shown, disabled with a reason unless the member is in audit."""
    browser = await portal.member()
    actions = {action["name"]: action for action in (await browser.get("/v1/periods/current"))["actions"]}
    assert list(actions) == ["log_activity", "add_comment", "export_pdf", "export_zip", "submit_for_review"]
    assert actions["submit_for_review"] == {"name": "submit_for_review", "enabled": False, "reason": "not_selected"}
    assert all(actions[name]["enabled"] for name in list(actions)[:4])


UNKNOWN_PERIODS: list[str] = ["2026-04-02", "tomorrow", "0000-00-00", "UNDATED", "undated", "all"]


async def test_an_unknown_period_is_not_found(portal: Portal, subtests: pytest.Subtests) -> None:
    """A period is named by its first day, or as the current one."""
    for period_id in UNKNOWN_PERIODS:
        with subtests.test(period_id):
            browser = await portal.member()
            assert (await browser.call("GET", f"/v1/periods/{period_id}")).status == 404


async def test_a_member_who_is_not_known_yet_is_told_so(portal: Portal) -> None:
    """A token may come before the membership system has told of its member: 404, in words, not a fault."""
    stranger = portal.browser("m-9", "member")
    for path in ("/v1/me", "/v1/periods", "/v1/periods/current", "/v1/log", "/v1/plan", "/v1/log/x"):
        assert (await stranger.call("GET", path)).status == 404
    assert "membership system" in (await stranger.call("POST", "/v1/log", {})).body["detail"]


async def test_a_new_renewal_date_moves_entries(portal: Portal) -> None:
    """R82: unfrozen entries follow the member's own year, in the lists and in the counts."""
    browser = await portal.member()
    await browser.post("/v1/log", full_entry(date="2026-05-04", minutes=60))
    await browser.post("/v1/log", full_entry(date="2026-08-04"))
    body = MemberIn.model_validate(member("account-m-1", renewal_date="2026-07-01"))
    await portal.services.members.put("m-1", body)
    rows = {row["id"]: row["counts"]["total"] for row in (await browser.get("/v1/periods"))["items"]}
    assert rows == {"2026-07-01": 1, "2025-07-01": 1}
    assert [row["date"] for row in (await browser.get("/v1/log"))["items"]] == ["2026-08-04"]
    assert (await browser.get("/v1/periods/2025-07-01"))["minutes"] == 60


async def test_a_plan_item_is_shown_anew_when_the_years_move(portal: Portal) -> None:
    """A conditional GET gives the years that an item touches now, and not that nothing changed."""
    browser = await portal.member()
    item = await browser.post("/v1/plan", full_item())
    path = f"/v1/plan/{item['id']}"
    before = await browser.call("GET", path)
    await portal.services.members.put("m-1", MemberIn.model_validate(member("account-m-1", renewal_date="2026-06-01")))
    after = await browser.call("GET", path, if_none_match=before.headers["ETag"])
    assert (after.status, after.body["period_ids"] != before.body["period_ids"]) == (200, True)


async def test_completions_count_as_they_come(bridge: Journey) -> None:
    """R16, R27: automatic drafts are in the counts of their period; a voided one leaves them again."""
    await bridge.add_member("m-1", member())
    statements = [completed(activity=f"course/{n}") for n in range(3)]
    await bridge.send(*statements)
    async with portal_over(bridge.settings) as portal:
        browser = portal.browser("m-1", "member")
        assert (await browser.get("/v1/periods/current"))["counts"]["draft"] == 3
        before = await bridge.log("m-1")
        await bridge.send(voided(statements[0]["id"]), key="statement.voided")
        period = await browser.get("/v1/periods/current")
        rows = (await browser.get("/v1/log"))["items"]
        assert (period["counts"]["draft"], len(rows)) == (2, 2)
        hidden_ids = {entry["_id"] for entry in before} - {row["id"] for row in rows}
        assert (await browser.call("POST", f"/v1/log/{hidden_ids.pop()}/restore")).status == 404, (
            "withdrawn is not deleted"
        )


NO_DATES: list[Any] = ["1699920000", 1699920000, "2026-04-01T00:00:00Z"]


async def test_a_renewal_date_is_a_date(portal: Portal, subtests: pytest.Subtests) -> None:
    """A number that could be read as a time is no date (RFC 3339 full-date)."""
    for day in NO_DATES:
        with subtests.test(day=day):
            body = member("m-9", renewal_date=day)
            answer = await portal.browser("p", "platform").call("PUT", "/v1/members/m-9", body)
            assert (answer.status, answer.body["errors"][0]["pointer"]) == (422, "/renewal_date")


WRONG_NAMES: list[tuple[str, Any, str]] = [
    ("identifiers", [{"mbox": "mailto:a,b@example.org"}], "/identifiers/0/mbox"),
    ("identifiers", [{"mbox": "mailto:a@example.org?x=1"}], "/identifiers/0/mbox"),
    (
        "identifiers",
        [{"openid": "urn:x"}, {"account": {"homePage": "http:x", "name": ""}}],
        "/identifiers/1/account/homePage",
    ),
    ("identifiers", [{"openid": "https://id.example.org/é"}], "/identifiers/0/openid"),
    ("identifiers", [{"mbox_sha1sum": "0"}], "/identifiers/0/mbox_sha1sum"),
    ("identifiers", [{"mbox": None}], "/identifiers/0"),
    ("email", "evil>b@c.d", "/email"),
]


async def test_what_names_a_member_is_checked_by_its_field(portal: Portal, subtests: pytest.Subtests) -> None:
    """422 names the field, and the message what was expected: no identifier that a statement could not carry."""
    for field, value, pointer in WRONG_NAMES:
        with subtests.test(value=value):
            body = member("m-9", **{field: value})
            answer = await portal.browser("p", "platform").call("PUT", "/v1/members/m-9", body)
            (error,) = answer.body["errors"]
            assert (answer.status, error["pointer"], error["message"][:5]) == (422, pointer, "Give ")


async def test_who_i_am(portal: Portal) -> None:
    """R12, R49, R65, R80, R88: the member, what applies to them, the current period and where help is."""
    browser = await portal.member()
    me = await browser.get("/v1/me")
    assert (me["member_id"], me["name"], me["requirements_apply"]) == ("m-1", "Sam Example", True)
    assert me["current_period"] == await browser.get("/v1/periods/current")
    assert set(me["links"]) == {"help", "privacy", "survey"}


async def test_listed_years_are_taken_as_they_are(portal: Portal) -> None:
    """R82: a membership system may list the years itself; every day still has one."""
    periods = [{"start": "2025-02-01", "end": "2026-01-31"}, {"start": "2026-02-01", "end": "2027-01-31"}]
    browser = await portal.member("m-3", renewal_date=None, periods=periods)
    assert (await browser.get("/v1/periods/current"))["id"] == "2026-02-01"
    entry = await browser.post("/v1/log", full_entry(date=(date(2025, 2, 1) - timedelta(days=1)).isoformat()))
    assert entry["period_id"] == "2024-02-01"
