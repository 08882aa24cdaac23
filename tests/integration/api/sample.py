"""A little application on the API's foundation, with real tokens, for the tests beside it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from aiohttp import ClientResponse, web
from aiohttp.test_utils import TestClient
from joserfc import jwt
from pydantic import BaseModel, Field

from bridge import tokens
from bridge.api.http.auth import PUBLIC
from bridge.api.http.context import Call
from bridge.api.http.inputs import InputModel
from bridge.api.http.pagination import Page, PageQuery, decode_cursor, encode_cursor, parse_sort
from bridge.api.http.routing import Answer, Routes
from bridge.domain.fields import Day
from bridge.errors import Conflict, NotFound, RecordFrozen

Client = TestClient[web.Request, web.Application]
Start = Callable[..., Awaitable[Client]]

PORTAL = "https://portal.example"
SECRET = "my private reflection"  # a member's words, to be looked for where they must not be

routes = Routes("Note", "Sample notes.")


class NoteQuery(PageQuery):
    """Filters of the list."""

    day: Day | None = None
    draft: bool | None = None


class Author(InputModel):
    """Who wrote it."""

    mail: str = Field(title="E-mail address", min_length=3)


class NoteIn(InputModel):
    """What a note is made of."""

    title: str = Field(max_length=40)
    minutes: int | None = Field(None, ge=0, le=10_000)
    day: Day | None = None
    author: Author | None = None


class Note(BaseModel):
    """A note."""

    id: str
    title: str
    minutes: int | None
    version: int


@dataclass(frozen=True)
class Row:
    """What a service would give: more than the answer shows."""

    id: str
    title: str
    minutes: int | None
    version: int
    secret: str = SECRET


class Notes:
    """A service in memory."""

    def __init__(self) -> None:
        self.rows = {f"n{number}": Row(f"n{number}", f"Note {number}", None, 1) for number in range(5)}


NOTES = web.AppKey("notes", Notes)


@routes.get("/v1/notes", roles={"member"}, query=NoteQuery, answer=Page[Note])
async def list_notes(call: Call, query: NoteQuery) -> Page[Row]:
    """List notes."""
    parse_sort(query.sort, {"title", "day"})
    scope = f"notes:{call.caller.subject}"
    after = decode_cursor(scope, query, (str,))
    rows = [row for row in call.service(NOTES).rows.values() if after is None or row.id > str(after[0])]
    page = rows[: query.limit]
    next_cursor = encode_cursor([page[-1].id], scope, query) if len(rows) > query.limit else None
    return Page(items=page, next=next_cursor, total=5)


@routes.post(
    "/v1/notes",
    roles={"member", "support"},
    body=NoteIn,
    answer=Note,
    status=201,
    etag=True,
    idempotent=True,
    problems=(Conflict, RecordFrozen),
    example={"title": "Read a paper", "minutes": 30},
)
async def make_note(call: Call, body: NoteIn) -> Answer:
    """Make a note."""
    return Answer(Row("n9", body.title, body.minutes, 1), location="/v1/notes/n9", version=1)


@routes.get("/v1/notes/{note_id}", roles={"member"}, answer=Note, etag=True)
async def read_note(call: Call) -> Answer:
    """Read a note."""
    row = call.service(NOTES).rows.get(call.path["note_id"])
    if row is None:
        raise NotFound("There is no such note.")
    return Answer(row, version=row.version)


@routes.patch("/v1/notes/{note_id}", roles={"member"}, body=NoteIn, answer=Note, etag=True, if_match=True)
async def change_note(call: Call, body: NoteIn) -> Answer:
    """Change a note."""
    row = call.service(NOTES).rows.get(call.path["note_id"])
    if row is None:
        raise NotFound("There is no such note.")
    call.check_version(row.version)
    return Answer(Row(row.id, body.title, body.minutes, 2), version=2)


@routes.delete("/v1/notes/{note_id}", roles={"member"}, if_match=True)
async def delete_note(call: Call) -> None:
    """Delete a note."""
    call.if_match()


@routes.get("/v1/ids", roles=PUBLIC, answer=dict[str, str])
async def show_ids(call: Call) -> dict[str, str]:
    """Show the correlation id."""
    return {"correlation": call.correlation_id, "traceparent": call.traceparent, "subject": call.caller.subject}


@routes.get("/v1/crash", roles=PUBLIC, hidden=True)
async def crash(_call: Call) -> None:
    """Fail."""
    raise RuntimeError(SECRET)


@routes.get("/v1/slow", roles=PUBLIC, hidden=True)
async def slow(_call: Call) -> None:
    """Never end."""
    await asyncio.Event().wait()


@routes.get("/v1/stream", roles=PUBLIC, gives={"text/plain": {"type": "string"}}, timed=False, hidden=True)
async def stream(call: Call) -> web.StreamResponse:
    """Break off."""
    response = web.StreamResponse(headers={"Content-Length": "100"})
    await response.prepare(call.request)
    await response.write(b"some")
    raise RuntimeError(SECRET)


def bearer(token: str) -> dict[str, str]:
    """The header that carries a token."""
    return {"Authorization": f"Bearer {token}"}


def claims(**changes: Any) -> dict[str, Any]:
    """The claims of a good token, but for those changed; ``None`` leaves one out."""
    now = int(time.time())
    good = {"iss": tokens.DEV_ISSUER, "aud": "cpd-bridge", "sub": "m1", "roles": ["member"], "exp": now + 60}
    return {name: value for name, value in {**good, **changes}.items() if value is not None}


def signed(local_dir: Path, **changes: Any) -> str:
    """A token signed with the development key."""
    key = tokens.dev_key(local_dir)
    return jwt.encode({"alg": "ES256", "kid": key.kid}, claims(**changes), key)


async def problem(response: ClientResponse, status: int, slug: str) -> dict[str, Any]:
    """The problem document of a response, after checking what every one has."""
    assert response.status == status, await response.text()
    assert response.content_type == "application/problem+json"
    body = await response.json(content_type=None)
    assert body["type"] == f"/problems/{slug}"
    assert body["status"] == status
    assert body["title"]
    assert body["detail"]
    assert body["correlation_id"] == response.headers["X-Correlation-Id"]
    return body


async def raw(client: Client, request: bytes) -> tuple[bytes, bytes]:
    """Send bytes as they are; the head and the body of the answer."""
    reader, writer = await asyncio.open_connection(client.host, client.port)
    writer.write(request)
    await writer.drain()
    head, _, body = (await reader.read()).partition(b"\r\n\r\n")
    writer.close()
    await writer.wait_closed()
    return head, body
