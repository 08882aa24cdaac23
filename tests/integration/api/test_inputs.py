"""What goes in: queries, bodies, media types and preconditions."""

from __future__ import annotations

from typing import Any

import orjson
import pytest

from tests.integration.api.sample import SECRET, Client, Start, problem


@pytest.mark.parametrize(
    ("query", "name"),
    [
        ("colour=red", "colour"),
        ("limit=0", "limit"),
        ("limit=201", "limit"),
        ("limit=ten", "limit"),
        ("limit=", "limit"),
        ("limit=1&limit=2", "limit"),
        ("draft=yes", "draft"),
        ("day=2026-13-01", "day"),
        ("day=1700000000", "day"),
        ("sort=secret", "sort"),
        ("sort=title,-title", "sort"),
        ("cursor=nonsense", "cursor"),
        ("cursor=%C3%A9", "cursor"),
    ],
)
async def test_bad_query(client: Client, member: dict[str, str], query: str, name: str) -> None:
    """A query parameter that is unknown, repeated or wrong is 422 and named."""
    body = await problem(await client.get(f"/v1/notes?{query}", headers=member), 422, "validation")
    (fault,) = body["errors"]
    assert (fault["pointer"], fault["field"]) == (f"?{name}", name)
    assert fault["label"]
    assert fault["message"]


async def test_good_query(client: Client, member: dict[str, str]) -> None:
    """Every kind of parameter is read."""
    query = "limit=2&draft=true&day=2026-03-31&sort=-day,title"
    response = await client.get(f"/v1/notes?{query}", headers=member)
    assert response.status == 200, await response.text()


async def test_pages(client: Client, member: dict[str, str]) -> None:
    """Pages follow each other to the end, and a cursor is good for its own query only."""
    seen_ids: list[str] = []
    cursor = ""
    while cursor is not None:
        response = await client.get(f"/v1/notes?limit=2{cursor and '&cursor=' + cursor}", headers=member)
        page = await response.json()
        seen_ids += [item["id"] for item in page["items"]]
        cursor = page["next"]
        if cursor:
            await problem(await client.get(f"/v1/notes?draft=true&cursor={cursor}", headers=member), 422, "validation")
    assert seen_ids == ["n0", "n1", "n2", "n3", "n4"]


@pytest.mark.parametrize(
    ("body", "pointer", "label"),
    [
        (b'{"title": "a", "colour": 1}', "/colour", "Colour"),
        (b'{"title": "a", "version": 1}', "/version", "Version"),
        (b'{"minutes": 5}', "/title", "Title"),
        (b'{"title": 5}', "/title", "Title"),
        (b'{"title": "a", "minutes": "5"}', "/minutes", "Minutes"),
        (b'{"title": "a", "minutes": -1}', "/minutes", "Minutes"),
        (b'{"title": "a", "day": 0}', "/day", "Day"),
        (b'{"title": "a", "day": "1700000000"}', "/day", "Day"),
        (b'{"title": "a", "author": {"mail": "x"}}', "/author/mail", "E-mail address"),
        (b'{"title": "a", "author": {}}', "/author/mail", "E-mail address"),
        (b'{"title": "a", "a/b~c": 1}', "/a~1b~0c", "A/b~c"),
        (b"[]", "", "Body"),
        (b"null", "", "Body"),
    ],
    ids=str,
)
async def test_bad_fields(client: Client, member: dict[str, str], body: bytes, pointer: str, label: str) -> None:
    """A field that is unknown, read-only, missing or wrong is 422 with its JSON Pointer and label."""
    headers = {**member, "Content-Type": "application/json"}
    answer = await problem(await client.post("/v1/notes", data=body, headers=headers), 422, "validation")
    (fault,) = answer["errors"]
    assert (fault["pointer"], fault["label"]) == (pointer, label)


async def test_faults_do_not_repeat_the_input(client: Client, member: dict[str, str]) -> None:
    """What the member wrote is not in the problem document."""
    body = {"title": SECRET * 9, "minutes": SECRET, "author": {"mail": [SECRET]}}
    response = await client.post("/v1/notes", json=body, headers=member)
    answer = await problem(response, 422, "validation")
    assert len(answer["errors"]) == 3
    assert SECRET not in await response.text()


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b'{"title": NaN}',
        b'{"title": "\\ud800"}',
        b'{"title": "\xff"}',
        b"[" * 2000 + b"]" * 2000,
        *(b"[" * levels + b"]" * levels for levels in (253, 500, 1024)),
    ],
)
async def test_bad_json(client: Client, member: dict[str, str], body: bytes) -> None:
    """What is not strict JSON is 400."""
    headers = {**member, "Content-Type": "application/json"}
    await problem(await client.post("/v1/notes", data=body, headers=headers), 400, "malformed")


@pytest.mark.parametrize(
    "kind", ["text/plain", "application/merge-patch+json", "application/json; charset=latin-1", "nonsense"]
)
async def test_media_types(client: Client, member: dict[str, str], kind: str) -> None:
    """A body of another media type or charset is 415, and the answer says which to use."""
    headers = {**member, "Content-Type": kind}
    body = await problem(
        await client.post("/v1/notes", data=b'{"title": "a"}', headers=headers), 415, "unsupported-media-type"
    )
    assert "application/json" in body["detail"] or "UTF-8" in body["detail"]


async def test_patch_takes_both_media_types(client: Client, member: dict[str, str]) -> None:
    """PATCH takes JSON and merge patch alike."""
    for kind in ("application/json", "application/merge-patch+json; charset=UTF-8"):
        headers = {**member, "Content-Type": kind, "If-Match": '"1"'}
        assert (await client.patch("/v1/notes/n1", data=b'{"title": "b"}', headers=headers)).status == 200


async def test_too_large(start: Start, member: dict[str, str]) -> None:
    """A body over the limit is 413, with or without a length, packed or not."""
    client = await start(max_body_bytes=1024)
    body = orjson.dumps({"title": "x" * 2000})

    async def chunks() -> Any:
        yield body

    json = {**member, "Content-Type": "application/json"}
    await problem(await client.post("/v1/notes", data=body, headers=json), 413, "too-large")
    await problem(await client.post("/v1/notes", data=chunks(), headers=json), 413, "too-large")
    await problem(await client.post("/v1/notes", data=body, headers=json, compress="gzip"), 413, "too-large")


async def test_broken_encoding(client: Client, member: dict[str, str]) -> None:
    """A body that is not in the encoding it names is 400."""
    headers = {**member, "Content-Type": "application/json", "Content-Encoding": "gzip"}
    await problem(await client.post("/v1/notes", data=b"not gzip", headers=headers), 400, "malformed")


async def test_created(client: Client, member: dict[str, str]) -> None:
    """A new resource is 201 with its address and version."""
    response = await client.post("/v1/notes", json={"title": "a"}, headers=member)
    assert response.status == 201
    assert (response.headers["Location"], response.headers["ETag"]) == ("/v1/notes/n9", '"1"')


async def test_idempotency_key_is_checked(client: Client, member: dict[str, str]) -> None:
    """An Idempotency-Key that could not be kept is 400."""
    headers = {**member, "Idempotency-Key": "x" * 256}
    await problem(await client.post("/v1/notes", json={"title": "a"}, headers=headers), 400, "malformed")


async def test_if_match(client: Client, member: dict[str, str]) -> None:
    """A change needs If-Match with the current version; a weak tag is no version."""
    for header, status, slug in [
        (None, 428, "precondition-required"),
        ('"7"', 412, "stale-version"),
        ('W/"1"', 412, "stale-version"),
        ('"abc"', 412, "stale-version"),
        ("1", 400, "malformed"),
    ]:
        headers = member if header is None else {**member, "If-Match": header}
        await problem(await client.patch("/v1/notes/n1", json={"title": "b"}, headers=headers), status, slug)
    for header in ('"1"', '"7", "1"', "*"):
        response = await client.patch("/v1/notes/n1", json={"title": "b"}, headers={**member, "If-Match": header})
        assert (response.status, response.headers["ETag"]) == (200, '"2"')


async def test_precondition_comes_last(client: Client, member: dict[str, str]) -> None:
    """A precondition counts only for a request that is good without it (RFC 9110 §13.2.1)."""
    response = await client.patch("/v1/notes/n1", json={"title": 1}, headers={**member, "If-Match": '"7"'})
    await problem(response, 422, "validation")


async def test_whole_numbers(client: Client, member: dict[str, str]) -> None:
    """30.0 is an integer to JSON Schema, and so to us; a number too large to be exact is not."""
    headers = {**member, "Content-Type": "application/json"}
    response = await client.post("/v1/notes", data=b'{"title": "a", "minutes": 30.0}', headers=headers)
    assert (await response.json())["minutes"] == 30
    huge = await client.post("/v1/notes", data=b'{"title": "a", "minutes": 1e30}', headers=headers)
    await problem(huge, 422, "validation")
