"""Comments on a membership year over HTTP: they only grow (R50-R52)."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from datetime import datetime
from typing import Any

import pytest

from bridge.domain.members.messages import MemberIn
from bridge.settings import Settings
from bridge.store.record.records import Comments
from tests.support.member_client import BEFORE, YEAR, MemberClient, serving
from tests.support.statements import member

COMMENTS = f"/v1/periods/{YEAR}/comments"
LAST_YEAR = "/v1/periods/2025-04-01/comments"


@pytest.fixture
async def me(settings: Settings) -> AsyncGenerator[MemberClient]:
    """Serve the API."""
    async with serving(settings) as member:
        yield member


async def post(me: MemberClient, path: str = COMMENTS, **body: Any) -> dict[str, Any]:
    """Post a comment that is taken."""
    response = await me.call("POST", path, json=body)
    assert response.status == 201, await response.text()
    return await response.json()


async def refused(me: MemberClient, body: Any, path: str = COMMENTS) -> tuple[int, str, list[str]]:
    """Post a comment that is not taken: status, slug, and the pointers of its faults."""
    response = await me.call("POST", path, json=body)
    answer = await response.json(content_type="application/problem+json")
    slug = answer["type"].removeprefix("/problems/")
    return response.status, slug, [fault["pointer"] for fault in answer.get("errors", ())]


async def test_posted_and_read(me: MemberClient) -> None:
    """A comment has its text, author and time, and is read where it was posted (R50)."""
    comment = await post(me, text="The course was cancelled.")
    assert comment == {
        "id": comment["id"],
        "text": "The course was cancelled.",
        "refers_to": None,
        "author": me.member_id,
        "created_at": comment["created_at"],
    }
    assert await me.get(COMMENTS) == {"items": [comment], "next": None, "total": 1}
    assert await me.get(LAST_YEAR) == {"items": [], "next": None, "total": 0}


@pytest.mark.parametrize(
    "text", ["<b>5 < 6</b> & “quotes”\r\n\n\ttab ", "\u0000 \u202e", "👩‍⚕️" * 10, " ", "x" * 100_000]
)
async def test_text_is_kept(me: MemberClient, text: str) -> None:
    """A text is kept byte for byte, markup and all (decision 12)."""
    await post(me, text=text)
    assert [comment["text"] for comment in (await me.get(COMMENTS))["items"]] == [text]


@pytest.mark.parametrize("method", ["PUT", "PATCH", "DELETE"])
async def test_no_other_method(me: MemberClient, method: str) -> None:
    """Nothing changes or deletes a comment: 405, and Allow says what there is (R51)."""
    comment = await post(me, text="It stays.")
    response = await me.call(method, COMMENTS, json={})
    assert response.status == 405
    assert set(response.headers["Allow"].split(",")) == {"GET", "HEAD", "POST"}
    response = await me.call(method, f"{COMMENTS}/{comment['id']}", json={})
    assert response.status == 404
    assert (await me.get(COMMENTS))["items"] == [comment]


def test_the_store_only_adds() -> None:
    """The store has no way to change a comment or remove one (invariant 6)."""
    assert {name for name in vars(Comments) if not name.startswith("_")} == {"add", "list"}


FAULTS: list[tuple[Any, str]] = [
    ({}, "/text"),
    ({"text": ""}, "/text"),
    ({"text": "x" * 100_001}, "/text"),
    ({"text": None}, "/text"),
    ({"text": "x", "author": "me"}, "/author"),
    ({"text": "x", "created_at": "2026-01-01T00:00:00Z"}, "/created_at"),
    ({"text": "x", "refers_to": "unknown"}, "/refers_to"),
    ({"text": "x", "refers_to": ""}, "/refers_to"),
]


async def test_faults(me: MemberClient, subtests: pytest.Subtests) -> None:
    """What is missing, too long, unknown or read-only is 422 by its field."""
    for body, pointer in FAULTS:
        with subtests.test(body=str(body)[:50]):
            assert await refused(me, body) == (422, "validation", [pointer])


async def test_reference(me: MemberClient) -> None:
    """A comment may refer to a plan item or a log entry of the same record, and to no other (R15, R52)."""
    entry, colleague = await me.entry(), await me.other()
    response = await me.call("POST", "/v1/plan", json={"title": "Learn about grief"})
    item = (await response.json())["id"]
    for reference in (entry, item):
        assert (await post(me, text="Instead of it.", refers_to=reference))["refers_to"] == reference
        assert await refused(colleague, {"text": "x", "refers_to": reference}) == (422, "validation", ["/refers_to"])
    assert (await me.get(COMMENTS))["total"] == 2


async def test_unknown_period(me: MemberClient) -> None:
    """A period that the member does not have is not found; the current one has a name."""
    for period in ("2026-04-02", "nonsense", "9999-99-99"):
        response = await me.call("GET", f"/v1/periods/{period}/comments")
        assert response.status == 404
        assert (await refused(me, {"text": "x"}, f"/v1/periods/{period}/comments"))[0] == 404
    comment = await post(me, "/v1/periods/current/comments", text="Now.")
    assert (await me.get("/v1/periods/current/comments"))["items"] == [comment]


async def test_of_the_member_only(me: MemberClient) -> None:
    """Another member's comments are neither listed nor counted."""
    await post(me, text="Mine.")
    colleague = await me.other()
    assert await colleague.get(COMMENTS) == {"items": [], "next": None, "total": 0}


async def test_frozen(me: MemberClient) -> None:
    """While a period is frozen its comments are read and none is added; other periods stay open (decision 13)."""
    comment = await post(me, text="Before.")
    await me.freeze()
    assert await refused(me, {"text": "After."}) == (409, "record-frozen", [])
    assert (await me.get(COMMENTS))["items"] == [comment]
    await post(me, LAST_YEAR, text="Elsewhere.")


async def test_pages(me: MemberClient) -> None:
    """Pages neither repeat nor skip while others are posted, oldest first or newest first (invariant 9)."""
    comments = [await post(me, text=str(number)) for number in range(5)]
    page = await me.get(COMMENTS, limit="2")
    assert page["items"] == comments[:2]
    await post(me, text="meanwhile")
    listing = page["items"]
    while page["next"]:
        page = await me.get(COMMENTS, limit="2", cursor=page["next"])
        listing += page["items"]
    assert [comment["text"] for comment in listing] == ["0", "1", "2", "3", "4", "meanwhile"]
    newest = (await me.get(COMMENTS, sort="-created_at"))["items"]
    assert newest == listing[::-1]
    response = await me.call("GET", COMMENTS, params={"sort": "text"})
    assert response.status == 422


async def test_repeated(me: MemberClient) -> None:
    """The same key makes one comment, at whatever moment it comes; with another text it is 409."""
    key = {"Idempotency-Key": "once"}
    calls = (me.call("POST", COMMENTS, key, json={"text": "Once."}) for _ in range(4))
    answers = [await response.json() for response in await asyncio.gather(*calls)]
    assert answers == [answers[0]] * 4
    response = await me.call("POST", COMMENTS, key, json={"text": "Twice."})
    assert response.status == 409
    assert (await me.get(COMMENTS))["items"] == [answers[0]]


async def test_many_at_once(me: MemberClient) -> None:
    """Comments posted at the same moment are all kept, each in a place of its own."""
    await asyncio.gather(*(post(me, text=str(number)) for number in range(10)))
    listing = (await me.get(COMMENTS))["items"]
    assert sorted(comment["text"] for comment in listing) == sorted(map(str, range(10)))
    assert listing == sorted(listing, key=lambda comment: datetime.fromisoformat(comment["created_at"]))


@pytest.mark.parametrize(("renewal", "home"), [("2026-06-01", "2026-06-01"), ("2026-01-01", "2026-01-01")])
async def test_membership_year_moves(me: MemberClient, renewal: str, home: str) -> None:
    """When the membership year moves, a comment goes to the year that holds most of its own (R82)."""
    comment = await post(me, text="Of this year.")
    new_calendar = MemberIn.model_validate(member(me.member_id, renewal_date=renewal))
    await me.services.members.put(me.member_id, new_calendar)
    assert (await me.get(f"/v1/periods/{home}/comments"))["items"] == [comment]
    await me.entry(BEFORE)
