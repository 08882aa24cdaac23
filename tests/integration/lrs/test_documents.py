"""State, Activity Profile and Agent Profile: documents, merging, ETags (xAPI-Communication §2.2-2.7, §3.1)."""

from __future__ import annotations

import asyncio
import hashlib
from dataclasses import dataclass
from urllib.parse import urlencode

import orjson
import pytest
from aiohttp import ClientResponse

from tests.integration.lrs.client import JSON, Lrs, agent

ADA = orjson.dumps(agent("ada")).decode()
ACTIVITY_ID = "https://things.example.org/book"
RESOURCES = {
    "activities/state": ({"activityId": ACTIVITY_ID, "agent": ADA}, "stateId"),
    "activities/profile": ({"activityId": ACTIVITY_ID}, "profileId"),
    "agents/profile": ({"agent": ADA}, "profileId"),
}


@dataclass
class Desk:
    """One of the three resources, with the parameters that name a document."""

    lrs: Lrs
    path: str
    query: dict[str, str]
    key: str

    async def call(
        self, method: str, name: str | None = "one", body: bytes | None = None, **headers: str
    ) -> ClientResponse:
        """Make one call; ``headers`` are named with underscores."""
        params = self.query | ({self.key: name} if name else {})
        options = {"Content-Type": JSON, **{key.replace("_", "-"): value for key, value in headers.items()}}
        return await self.lrs.call(method, self.path, params, data=body, headers=options)

    async def read(self) -> tuple[bytes, str]:
        """Return the document and its ETag."""
        answer = await self.call("GET")
        assert answer.status == 200
        return await answer.read(), answer.headers["ETag"]


@pytest.fixture(params=RESOURCES)
def desk(request: pytest.FixtureRequest, lrs: Lrs) -> Desk:
    """Each of the resources in turn."""
    return Desk(lrs, request.param, *RESOURCES[request.param])


async def test_a_document_comes_back_as_it_went_in(desk: Desk) -> None:
    """Any bytes of any type are kept; the ETag is their SHA-1 in quotes; Last-Modified is there."""
    body = b"\x00\xffany"
    assert (await desk.call("PUT", body=body, If_None_Match="*", Content_Type="image/x")).status == 204
    answer = await desk.call("GET")
    assert (await answer.read(), answer.content_type) == (body, "image/x")
    assert answer.headers["ETag"] == f'"{hashlib.sha1(body).hexdigest()}"'
    assert "Last-Modified" in answer.headers
    assert (await desk.call("HEAD")).headers["ETag"] == answer.headers["ETag"]
    assert (await desk.call("GET", If_None_Match=answer.headers["ETag"])).status == 304
    assert (await desk.call("DELETE")).status == 204
    assert (await desk.call("GET")).status == 404


async def test_a_document_is_changed_by_who_has_read_it(desk: Desk) -> None:
    """If-Match and If-None-Match are kept to, by PUT, POST and DELETE, and a refused one changes nothing."""
    assert (await desk.call("PUT", body=b'{"a":1}', If_None_Match="*")).status == 204
    _, tag = await desk.read()
    for method in ("PUT", "POST", "DELETE"):
        assert (await desk.call(method, body=b'{"a":2}', If_Match='"0000"')).status == 412
    assert (await desk.call("PUT", body=b'{"a":2}', If_None_Match="*")).status == 412
    assert await desk.read() == (b'{"a":1}', tag)
    assert (await desk.call("PUT", body=b'{"a":2}', If_Match=tag)).status == 204
    assert (await desk.call("PUT", body=b'{"a":3}', If_Match=tag)).status == 412
    assert (await desk.call("PUT", body=b'{"a":3}', If_Match="*")).status == 204


@pytest.mark.parametrize("method", ["PUT", "POST", "DELETE"])
async def test_tags_are_compared_as_the_specification_says(desk: Desk, method: str) -> None:
    """In quotes an asterisk is a tag like any other; If-Match compares strongly, the other weakly (RFC 9110 §13.1)."""
    assert (await desk.call("PUT", body=b'{"a":1}', If_None_Match='"*"')).status == 204
    body, tag = await desk.read()
    for tags in ('"*"', f"W/{tag}", f'"*", W/{tag}', 'W/"*"'):
        assert (await desk.call(method, body=b'{"a":2}', If_Match=tags)).status == 412, tags
    for if_match in (tag, f"W/{tag}", f'"*", W/{tag}', "*"):
        assert (await desk.call(method, body=b'{"a":2}', If_None_Match=if_match)).status == 412, if_match
        assert (await desk.call("GET", If_None_Match=if_match)).status == 304, if_match
    assert (await desk.call("GET", If_None_Match='"*"')).status == 200
    assert await desk.read() == (body, tag)
    assert (await desk.call(method, body=b'{"a":2}', If_Match=f'W/"x", {tag}')).status == 204


@pytest.mark.parametrize(
    ("version", "making", "replacing"),
    [("1.0.3", (204, 400), (204, 409)), ("1.0.1", (204, 204), (204, 409)), ("2.0.0", (204, 204), (409, 409))],
)
async def test_putting_without_a_precondition(
    desk: Desk, version: str, making: tuple[int, int], replacing: tuple[int, int]
) -> None:
    """What 1.0.3 asks for profiles, 2.0 asks for whatever is replaced: (state, profiles)."""
    desk.lrs = desk.lrs.speaking(version)
    place = 0 if desk.key == "stateId" else 1
    assert (await desk.call("PUT", body=b"{}")).status == making[place]
    await desk.call("POST", body=b'{"a":1}')
    answer = await desk.call("PUT", body=b'{"a":2}')
    assert answer.status == replacing[place]
    assert bool(await answer.read()) is (answer.status == 409)


async def test_post_merges_at_the_top_level(desk: Desk) -> None:
    """POST stores what is new, replaces properties whole, and refuses what is no JSON object (§2.2)."""
    assert (await desk.call("POST", body=b'{"a":{"x":1},"b":1}')).status == 204
    assert (await desk.call("POST", body=b'{"a":{"y":2},"c":3}')).status == 204
    assert orjson.loads((await desk.read())[0]) == {"a": {"y": 2}, "b": 1, "c": 3}
    for body, kind in ((b"[1]", JSON), (b"{", JSON), (b"text", "text/plain"), (b'{"d":1}', "text/plain")):
        assert (await desk.call("POST", body=body, Content_Type=kind)).status == 400
    await desk.call("POST", "other", body=b"text", Content_Type="text/plain")
    assert (await desk.call("POST", "other", body=b"{}")).status == 400


async def test_what_cannot_be_merged_is_refused(desk: Desk) -> None:
    """JSON too deep to be written again is 400, what grows too long 413; the document stays as it was."""
    deep = b'{"a":' + b"[" * 300 + b"]" * 300 + b"}"
    assert [(await desk.call("POST", body=deep)).status for _ in range(2)] == [204, 400]
    assert (await desk.read())[0] == deep
    limit = 8 * 2**20  # BRIDGE_LRS_MAX_DOCUMENT_BYTES
    statuses = [(await desk.call("POST", "long", body=b'{"%d":"%b"}' % (n, b"x" * 900_000))).status for n in range(10)]
    assert statuses == [204] * 9 + [413]
    assert 9 * 900_000 < len(await (await desk.call("GET", "long")).read()) <= limit


UNFIT_TYPES: list[str] = ["text/plain\r\nX-Evil: 1", "text/plain\n", "text/\u00e9", "text/\u2028"]


async def test_a_content_type_that_no_header_can_hold_is_refused(lrs: Lrs, subtests: pytest.Subtests) -> None:
    """A form can hold a Content-Type that could not be answered again: it is 400, and nothing is stored."""
    for kind in UNFIT_TYPES:
        with subtests.test(kind=kind):
            query, key = RESOURCES["activities/state"]
            form = urlencode({**query, key: "one", "Content-Type": kind, "content": "text"}).encode()
            request_headers = {"Content-Type": "application/x-www-form-urlencoded"}
            assert (
                await lrs.call("POST", "activities/state?method=PUT", data=form, headers=request_headers)
            ).status == 400
            assert (await lrs.call("GET", "activities/state", {**query, key: "one"})).status == 404


async def test_any_content_comes_through_a_form(lrs: Lrs) -> None:
    """The content of the alternate request syntax is decoded whole, however long, wherever an escape falls (§1.3)."""
    query, key = RESOURCES["activities/state"]
    for text in ("a+b c&d=\u00e9%" + "\u20ac" * 50_000, "", "x" + "\u20ac" * 50_000, "xy" + "\u20ac" * 50_000):
        form = urlencode({**query, key: "one", "Content-Type": "text/plain", "content": text}).encode()
        request_headers = {"Content-Type": "application/x-www-form-urlencoded"}
        assert (await lrs.call("POST", "activities/state?method=PUT", data=form, headers=request_headers)).status == 204
        assert await (await lrs.call("GET", "activities/state", {**query, key: "one"})).text() == text


async def test_merges_at_the_same_moment_all_count(desk: Desk) -> None:
    """Properties that several clients add at once are all there afterwards."""
    answers = await asyncio.gather(*[desk.call("POST", body=orjson.dumps({f"k{n}": n})) for n in range(8)])
    assert {answer.status for answer in answers} == {204}
    assert orjson.loads((await desk.read())[0]) == {f"k{n}": n for n in range(8)}


async def test_ids_are_listed_since_a_time(desk: Desk) -> None:
    """Without its id, GET lists the documents there are, or those changed after ``since``."""
    await desk.call("POST", "b", body=b"{}")
    await desk.call("POST", "a", body=b"{}")
    assert await (await desk.call("GET", None)).json() == ["a", "b"]
    for since, expected in (("2020-01-01T00:00:00Z", ["a", "b"]), ("2999-01-01T00:00:00Z", [])):
        desk.query = {**desk.query, "since": since}
        assert await (await desk.call("GET", None)).json() == expected
    desk.query = {**desk.query, "since": "then"}
    assert (await desk.call("GET", None)).status == 400


async def test_each_parameter_that_is_needed_is_missed(desk: Desk) -> None:
    """Every method refuses a request that lacks a parameter, or has one that is unknown or wrong."""
    whole = dict(desk.query)
    for method in ("GET", "PUT", "POST", "DELETE"):
        for name in whole:
            desk.query = {key: value for key, value in whole.items() if key != name}
            assert (await desk.call(method, body=b"{}")).status == 400, (method, name)
        for wrong in ({"foo": "1"}, {"agent": "ada"}, {"activityId": "book"}, {"registration": "1"}):
            desk.query = {**whole, **wrong}
            assert (await desk.call(method, body=b"{}")).status == 400, (method, wrong)
    desk.query = whole
    for method in ("PUT", "POST", *(["DELETE"] if desk.key == "profileId" else [])):
        assert (await desk.call(method, None, body=b"{}")).status == 400


async def test_state_belongs_to_a_registration_or_to_none(lrs: Lrs) -> None:
    """A registration is part of what names a state; without an id, all states of a shelf are deleted at once."""
    query, key = RESOURCES["activities/state"]
    registered = {**query, "registration": "8f1f9d3c-58c5-4a50-9f0f-0d1a1b7f2d77"}
    for place in (query, registered):
        assert (await Desk(lrs, "activities/state", place, key).call("PUT", body=b"{}")).status == 204
    assert (await Desk(lrs, "activities/state", registered, key).call("DELETE", None)).status == 204
    assert (await Desk(lrs, "activities/state", registered, key).call("GET")).status == 404
    assert (await Desk(lrs, "activities/state", query, key).call("GET")).status == 200
    assert (await Desk(lrs, "activities/state", query, key).call("DELETE", None)).status == 204
    assert (await Desk(lrs, "activities/state", query, key).call("GET")).status == 404
