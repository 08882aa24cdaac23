"""State, Activity Profile and Agent Profile (xAPI-Communication §2.3, §2.6, §2.7; IEEE 9274.1.1 §4.1.6)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import format_datetime
from typing import Final

import orjson
from aiohttp import web

from bridge.domain.lrs.serialization import instant
from bridge.domain.statements.agents import identifier_key
from bridge.errors import Malformed
from bridge.lrs import parameters
from bridge.lrs.calls import VERSION_HEADER, Call
from bridge.lrs.conditional import precondition
from bridge.services.lrs.credentials import Scope
from bridge.services.lrs.documents import Guard, LrsDocuments, is_json
from bridge.store.lrs.documents import Kind, Shelf, Stored, document

_SCOPES: Final[Mapping[Kind, Scope]] = {"state": "state", "activity profile": "profile", "agent profile": "profile"}
_HEADER: Final = re.compile(r"[\t -~]*")


class DocumentResource:
    """Handlers of one of the three; they differ in the parameters that name a document."""

    def __init__(self, documents: LrsDocuments, kind: Kind, limit: int) -> None:
        self._documents = documents
        self._kind: Kind = kind
        self._limit = limit
        self._id = "stateId" if kind == "state" else "profileId"
        self._optional = frozenset({"registration"}) if kind == "state" else frozenset[str]()
        named = {"state": {"activityId", "agent"}, "activity profile": {"activityId"}, "agent profile": {"agent"}}
        self._named = frozenset(named[kind])

    async def get(self, call: Call) -> web.StreamResponse:
        """Answer one document, or without its id the ids of those there are."""
        if self._id not in call.params:
            return await self._answer_ids(call)
        shelf = self._shelf(call, frozenset({self._id}))
        found = await self._documents.get(shelf, self._document_id(call))
        headers = {"ETag": found.tag, "Last-Modified": _http_date(found.updated_at)}
        if precondition(call.headers).is_known(found):
            return web.Response(status=304, headers=headers)
        return web.Response(body=found.content, headers={**headers, "Content-Type": found.content_type})

    async def _answer_ids(self, call: Call) -> web.StreamResponse:
        shelf = self._shelf(call, frozenset(), frozenset({"since"}))
        since = parameters.timestamp(call.params, "since")
        ids, latest = await self._documents.ids(shelf, None if since is None else instant(since))
        headers = {"Last-Modified": _http_date(latest)} if latest else {}
        return web.Response(body=orjson.dumps(ids), content_type="application/json", headers=headers)

    async def put(self, call: Call) -> web.StreamResponse:
        """Store a document whole."""
        shelf, document_id, new = await self._given(call)
        expected = precondition(call.headers)
        await self._documents.put(shelf, document_id, new, expected, self._guard(call))
        return web.Response(status=204)

    def _guard(self, call: Call) -> Guard:
        """1.0.3 asks for a precondition on every profile (§2.6, §2.7), 2.0 on any document replaced (§4.1.4).

        A client that speaks an older 1.0.x, such as TinCanPython, may make a profile without one.
        """
        if call.version == "1.0.3" and self._kind == "state":
            return Guard.NONE
        return Guard.ALWAYS if call.headers[VERSION_HEADER] == "1.0.3" else Guard.REPLACING

    async def post(self, call: Call) -> web.StreamResponse:
        """Merge a JSON object into the document, or store the document if there is none."""
        shelf, document_id, new = await self._given(call)
        await self._documents.merge(shelf, document_id, new, precondition(call.headers), self._limit)
        return web.Response(status=204)

    async def delete(self, call: Call) -> web.StreamResponse:
        """Delete a document, or without its id, of state, those there are."""
        needed = frozenset({self._id}) if self._kind != "state" or self._id in call.params else frozenset[str]()
        shelf = self._shelf(call, needed)
        if needed:
            await self._documents.delete(shelf, self._document_id(call), precondition(call.headers))
        else:
            await self._documents.clear(shelf)
        return web.Response(status=204)

    async def _given(self, call: Call) -> tuple[Shelf, str, Stored]:
        shelf = self._shelf(call, frozenset({self._id}))
        content_type = call.headers.get("Content-Type", "application/octet-stream")
        if not _HEADER.fullmatch(content_type):
            raise Malformed("Content-Type must be printable ASCII, since the document is answered with it.")
        new = document(await call.body(self._limit), content_type)
        if is_json(new):
            _check_json(new)
        return shelf, self._document_id(call), new

    def _document_id(self, call: Call) -> str:
        return call.params[self._id]

    def _shelf(self, call: Call, needed: frozenset[str], optional: frozenset[str] = frozenset()) -> Shelf:
        call.credential.need(_SCOPES[self._kind])
        parameters.check(call.params, self._optional | optional, self._named | needed)
        agent = parameters.agent(call.params)
        return Shelf(
            self._kind,
            parameters.iri(call.params, "activityId"),
            identifier_key(agent) if agent else None,
            parameters.uuid(call.params, "registration"),
        )


def _check_json(new: Stored) -> None:
    try:
        orjson.loads(new.content)
    except orjson.JSONDecodeError:
        raise Malformed("The body is not JSON, as its content type says (xAPI-Communication §2.2).") from None


def _http_date(when: datetime) -> str:
    return format_datetime(when.astimezone(UTC), usegmt=True)
