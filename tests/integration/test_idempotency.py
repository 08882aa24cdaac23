"""Idempotency-Key and If-Match, as api.md's HTTP conventions have them."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta

import pytest

from tests.support.portal import Portal, full_entry, full_item, new_key
from tests.support.storage import storage

COLLECTIONS: list[tuple[str, dict[str, str]]] = [("/v1/log", full_entry()), ("/v1/plan", full_item())]


async def test_the_same_key_and_body_give_the_same_answer(portal: Portal, subtests: pytest.Subtests) -> None:
    """A repeated POST makes nothing new, and is answered as the first one was, whatever has changed since."""
    for path, body in COLLECTIONS:
        with subtests.test(path):
            browser, key = await portal.member(), new_key()
            first = await browser.call("POST", path, body, idempotency_key=key)
            await browser.patch(f"{path}/{first.body['id']}", {"title": "Changed since"})
            again = await browser.call("POST", path, dict(reversed(body.items())), idempotency_key=key)
            assert (again.status, again.body, again.etag) == (201, first.body, first.etag)
            assert again.headers["Location"] == first.headers["Location"]
            assert (await browser.get(f"{path}?period=all"))["total"] == 1


async def test_another_body_under_the_same_key_is_a_conflict(portal: Portal) -> None:
    """409: a client that reuses a key has mixed something up."""
    browser, key = await portal.member(), new_key()
    await browser.post("/v1/log", {"title": "One"}, idempotency_key=key)
    second = await browser.call("POST", "/v1/log", {"title": "Two"}, idempotency_key=key)
    assert (second.status, second.slug) == (409, "conflict")
    assert (await browser.get("/v1/log?period=all"))["total"] == 1


async def test_a_key_is_one_members_on_one_route(portal: Portal) -> None:
    """The same key elsewhere is another key."""
    key = new_key()
    for member_id in ("m-1", "m-2"):
        browser = await portal.member(member_id)
        for path in ("/v1/log", "/v1/plan"):
            await browser.post(path, {"title": "T"}, idempotency_key=key)
            assert (await browser.get(f"{path}?period=all"))["total"] == 1


async def test_a_copy_is_made_once(portal: Portal) -> None:
    """A repeated copy with its key gives the copy that was made."""
    browser, key = await portal.member(), new_key()
    entry = await browser.post("/v1/log", full_entry())
    copies = [await browser.post(f"/v1/log/{entry['id']}/copy", idempotency_key=key) for _ in range(2)]
    assert copies[0] == copies[1]
    assert (await browser.get("/v1/log?period=all"))["total"] == 2
    await browser.delete(f"/v1/log/{entry['id']}")
    assert await browser.post(f"/v1/log/{entry['id']}/copy", idempotency_key=key) == copies[0]


async def test_a_key_at_the_same_moment_makes_one(portal: Portal) -> None:
    """Ten clients with one key and body: one entry, ten times the same answer."""
    browser, key = await portal.member(), new_key()
    calls = (browser.post("/v1/log", full_entry(), idempotency_key=key) for _ in range(10))
    answers = await asyncio.gather(*calls)
    assert all(answer == answers[0] for answer in answers)
    assert (await browser.get("/v1/log?period=all"))["total"] == 1


async def test_a_refused_call_may_be_sent_again(portal: Portal) -> None:
    """A key that came with a fault is free for the corrected body."""
    browser, key = await portal.member(), new_key()
    refusal = await browser.call("POST", "/v1/log", {"date": "2999-01-01"}, idempotency_key=key)
    assert refusal.status == 422
    await browser.post("/v1/log", {"date": "2026-05-04"}, idempotency_key=key)


async def test_a_key_is_forgotten_after_a_day(portal: Portal) -> None:
    """24 hours later the same key makes a new entry, whether or not the sweep has come by."""
    browser, key = await portal.member(), new_key()
    await browser.post("/v1/log", {}, idempotency_key=key)
    before = datetime.now(UTC) - timedelta(hours=24)
    await storage(portal.services).idempotency.set({}, at=before)
    assert (await browser.post("/v1/log", {}, idempotency_key=key))["reference"] == "L2"


async def test_two_browsers_never_lose_an_update_silently(portal: Portal, subtests: pytest.Subtests) -> None:
    """R3: who changes or deletes what somebody changed meanwhile is told (412), and nothing is overwritten."""
    for path, body in COLLECTIONS:
        with subtests.test(path):
            browser = await portal.member()
            answer = await browser.call("POST", path, body)
            place = f"{path}/{answer.body['id']}"
            patch_reply = await browser.call("PATCH", place, {"title": "First"}, if_match=answer.etag)
            assert (patch_reply.status, patch_reply.etag) == (200, '"2"')
            for method, patch in (("PATCH", {"title": "Second"}), ("DELETE", None)):
                stale = await browser.call(method, place, patch, if_match=answer.etag)
                assert (stale.status, stale.slug) == (412, "stale-version")
                blind = await browser.call(method, place, patch)
                assert (blind.status, blind.slug) == (428, "precondition-required")
            assert (await browser.get(place))["title"] == "First"
            assert (await browser.call("GET", place, if_none_match='"2"')).status == 304
