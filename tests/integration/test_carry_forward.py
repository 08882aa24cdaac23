"""A plan item that goes on in the member's next year (R1, R4, R14, R56)."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from bridge import wiring
from bridge.domain.members.messages import MemberIn
from tests.support.portal import Browser, Portal, full_entry, full_item, new_key
from tests.support.statements import member

THIS_YEAR, NEXT_YEAR = "2026-04-01", "2027-04-01"


async def carry(browser: Browser, item: dict[str, Any]) -> dict[str, Any]:
    """The item that another goes on as, made now."""
    answer = await browser.call("POST", f"/v1/plan/{item['id']}/carry-forward")
    assert answer.status == 201, answer.body
    return answer.body


async def pair(browser: Browser, item: dict[str, Any], next_item: dict[str, Any]) -> tuple[Any, Any]:
    """What an item says it goes on as, and the next one that it goes on from."""
    items = [(await browser.get(f"/v1/plan/{plan_item['id']}")) for plan_item in (item, next_item)]
    return items[0]["carried_to"], items[1]["carried_from"]


async def test_an_item_goes_on_in_the_next_year(portal: Portal) -> None:
    """201: texts, themes and resources are there, number and dates are new; both say so, and again is the same."""
    browser = await portal.member()
    item = await browser.post(
        "/v1/plan", full_item(themes=["ageing"], resources="A book.", priority="high", minutes=90)
    )
    entry = await browser.post("/v1/log", full_entry())
    await browser.link(entry, item)
    answer = await browser.call("POST", f"/v1/plan/{item['id']}/carry-forward")
    next_item = answer.body
    assert (answer.status, answer.headers["Location"], answer.etag) == (201, f"/v1/plan/{next_item['id']}", '"1"')
    assert await browser.get(answer.headers["Location"]) == next_item
    names = ("title", "themes", "resources", "priority", "minutes", "learning_need", "relevance", "planned_action")
    assert {name: next_item[name] for name in names} == {name: item[name] for name in names}
    new = ("reference", "start_date", "completion_date", "status", "status_reason", "log_ids", "period_ids")
    assert [next_item[name] for name in new] == ["P2", None, None, "planned", None, [], [NEXT_YEAR]]
    assert next_item["missing_fields"] == ["start_date", "completion_date"]
    before = await browser.get(f"/v1/plan/{item['id']}")
    assert (before["status"], before["log_ids"], before["period_ids"]) == (
        "carried_forward",
        [entry["id"]],
        [THIS_YEAR],
    )
    assert await pair(browser, item, next_item) == (next_item["id"], item["id"])
    again = await browser.call("POST", f"/v1/plan/{item['id']}/carry-forward")
    assert (again.status, again.body) == (200, next_item)
    assert await browser.get(f"/v1/plan/{item['id']}") == before, "again changes nothing"
    rows = (await browser.get(f"/v1/plan?period={NEXT_YEAR}"))["items"]
    assert [(row["id"], row["carried_from"]) for row in rows] == [(next_item["id"], item["id"])]


async def test_the_same_key_gives_the_same_answer(portal: Portal) -> None:
    """An Idempotency-Key repeats the 201, as for every call that makes something."""
    browser = await portal.member()
    item, key = await browser.post("/v1/plan", full_item()), new_key()
    path = f"/v1/plan/{item['id']}/carry-forward"
    first, second = [await browser.call("POST", path, idempotency_key=key) for _ in range(2)]
    assert (first.status, second.status, first.body) == (201, 201, second.body)


NEXT_YEARS: list[tuple[tuple[str | None, str | None], str]] = [
    (("2026-05-01", "2026-11-30"), NEXT_YEAR),
    (("2024-05-01", "2024-11-30"), THIS_YEAR),
    (("2026-05-01", "2027-05-01"), "2028-04-01"),
    ((None, None), NEXT_YEAR),
]


async def test_the_next_year_is_after_the_item_and_not_over(portal: Portal, subtests: pytest.Subtests) -> None:
    """The year after the item's last day, or the current one if that is later."""
    for dates, year in NEXT_YEARS:
        with subtests.test(dates=dates):
            browser = await portal.member()
            start, end = dates
            item = await browser.post("/v1/plan", full_item(start_date=start, completion_date=end))
            assert (await carry(browser, item))["period_ids"] == [year]


async def test_there_is_no_year_after_the_last(portal: Portal) -> None:
    """409 names the remedy where the calendar ends, and nothing is changed."""
    browser = await portal.member()
    item = await browser.post("/v1/plan", full_item(completion_date="9999-12-31"))
    answer = await browser.call("POST", f"/v1/plan/{item['id']}/carry-forward")
    assert (answer.status, answer.slug) == (409, "conflict")
    assert "earlier completion date" in answer.body["detail"]
    assert await browser.get(f"/v1/plan/{item['id']}") == item


async def test_dates_decide_once_there_are_any(portal: Portal) -> None:
    """A carried item is planned like any other: its dates say its year; without them it goes back to the next year."""
    browser = await portal.member()
    item = await browser.post("/v1/plan", full_item())
    path = f"/v1/plan/{(await carry(browser, item))['id']}"
    assert (await browser.patch(path, {"start_date": "2026-12-01"}))["period_ids"] == [THIS_YEAR]
    assert (await browser.patch(path, {"start_date": None}))["period_ids"] == [NEXT_YEAR]
    await portal.services.members.put("m-1", MemberIn.model_validate(member("account-m-1", renewal_date="2026-07-01")))
    assert (await browser.get(path))["period_ids"] == ["2027-07-01"], "a renewal date that moves takes it along"


async def test_what_is_frozen_is_not_carried_forward(portal: Portal) -> None:
    """R56: neither out of a submitted year nor into one, nor is a frozen item let go by its neighbour's deletion."""
    browser = await portal.member()
    item = await browser.post("/v1/plan", full_item())
    past = await browser.post("/v1/plan", full_item(start_date="2024-05-01", completion_date="2024-05-02"))
    await portal.freeze("m-1", THIS_YEAR, THIS_YEAR, "2027-03-31")
    for plan_item in (item, past):
        answer = await browser.call("POST", f"/v1/plan/{plan_item['id']}/carry-forward")
        assert (answer.status, answer.slug) == (409, "record-frozen")
    await portal.thaw("m-1")
    next_item = await carry(browser, item)
    await portal.freeze("m-1", THIS_YEAR, THIS_YEAR, "2027-03-31")
    path = f"/v1/plan/{next_item['id']}"
    answer = await browser.call("DELETE", path, if_match=(await browser.call("GET", path)).etag)
    assert (answer.status, answer.slug) == (409, "record-frozen")
    assert await pair(browser, item, next_item) == (next_item["id"], item["id"])


async def test_deleting_and_restoring_keep_the_two_sides_alike(portal: Portal) -> None:
    """Decision 5: live items name live items alone, and each other, in whichever order they go and come back."""
    browser = await portal.member()
    item = await browser.post("/v1/plan", full_item())
    next_item = await carry(browser, item)
    first, second = (f"/v1/plan/{plan_item['id']}" for plan_item in (item, next_item))
    await browser.delete(second)
    assert (await browser.get(first))["carried_to"] is None
    await browser.delete(first)
    assert (await browser.post(f"{second}/restore"))["carried_from"] is None
    assert (await browser.post(f"{first}/restore"))["carried_to"] == next_item["id"]
    assert await pair(browser, item, next_item) == (next_item["id"], item["id"])
    await browser.delete(second)
    third = await carry(browser, item)
    assert (await browser.post(f"{second}/restore"))["carried_from"] is None, "another came between"
    assert await pair(browser, item, third) == (third["id"], item["id"])


async def test_many_at_once_make_one(portal: Portal) -> None:
    """Invariant: calls at the same moment, in two processes that share nothing but the store, make one item."""
    browser = await portal.member()
    item = await browser.post("/v1/plan", full_item())
    async with wiring.services(portal.settings) as beside:
        plans = [services.plan for services in (portal.services, beside) for _ in range(5)]
        answers = await asyncio.gather(*(plan.carry_forward("m-1", item["id"], None) for plan in plans))
    assert len({next_item["_id"] for next_item, _ in answers}) == 1
    assert [new for _, new in answers].count(True) == 1
    assert (await browser.get("/v1/plan"))["total"] == 2


async def test_nothing_more_is_expected_of_what_goes_on(portal: Portal) -> None:
    """R47: an item that was carried forward is none of those that are planned and not logged."""
    browser = await portal.member()
    item = await browser.post("/v1/plan", full_item())
    assert (await browser.get("/v1/periods/current"))["unlinked"]["planned_not_logged"] == 1
    next_item = await carry(browser, item)
    assert (await browser.get("/v1/periods/current"))["unlinked"]["planned_not_logged"] == 0
    period = await browser.get(f"/v1/periods/{NEXT_YEAR}")
    assert (period["plan"], period["unlinked"]["planned_not_logged"]) == ({"total": 1, "incomplete": 1}, 1)
    assert next_item["carried_to"] is None
