"""State, Activity Profile and Agent Profile (xAPI-Communication §2.3, §2.6, §2.7; IEEE 9274.1.1 §4.1.6)."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from email.utils import format_datetime
from typing import Final

import orjson
from aiohttp import web
from multidict import CIMultiDict

from bridge.domain.fields import read_tags
from bridge.domain.lrs import DocumentKind, DocumentScope, Precondition, WriteGuard, XapiDocument, to_datetime
from bridge.domain.members import identifier_key
from bridge.errors import Malformed
from bridge.lrs import parameters
from bridge.lrs.calls import VERSION_HEADER, LrsCall
from bridge.services.lrs.credentials import Scope
from bridge.services.lrs.documents import LrsDocuments

_SCOPES: Final[Mapping[DocumentKind, Scope]] = {
    "state": "state",
    "activity profile": "profile",
    "agent profile": "profile",
}
_HEADER: Final = re.compile(r"[\t -~]*")
_BARE: Final = re.compile(r"\s*([0-9A-Za-z]+)\s*")
"""A tag without the quotes that the grammar asks for, which some clients send."""


class DocumentResource:
    """Handlers of one of the three; they differ in the parameters that name a document."""

    def __init__(self, documents: LrsDocuments, kind: DocumentKind, limit: int) -> None:
        self._documents = documents
        self._kind: DocumentKind = kind
        self._limit = limit
        self._id = "stateId" if kind == "state" else "profileId"
        self._optional = frozenset({"registration"}) if kind == "state" else frozenset[str]()
        owners = {"state": {"activityId", "agent"}, "activity profile": {"activityId"}, "agent profile": {"agent"}}
        self._owner = frozenset(owners[kind])

    async def get(self, call: LrsCall) -> web.StreamResponse:
        """Answer one document, or without its id the ids of those there are."""
        if self._id not in call.params:
            return await self._answer_ids(call)
        scope = self._scope(call, frozenset({self._id}))
        document = await self._documents.get(scope, call.params[self._id])
        headers = {"ETag": document.tag, "Last-Modified": _http_date(document.updated_at)}
        if read_precondition(call.headers).is_known(document):
            return web.Response(status=304, headers=headers)
        return web.Response(body=document.content, headers={**headers, "Content-Type": document.content_type})

    async def _answer_ids(self, call: LrsCall) -> web.StreamResponse:
        scope = self._scope(call, frozenset(), frozenset({"since"}))
        since = parameters.read_timestamp(call.params, "since")
        ids, latest = await self._documents.list_ids(scope, None if since is None else to_datetime(since))
        headers = {"Last-Modified": _http_date(latest)} if latest else {}
        return web.Response(body=orjson.dumps(ids), content_type="application/json", headers=headers)

    async def put(self, call: LrsCall) -> web.StreamResponse:
        """Store a document whole."""
        scope, document_id, new = await self._read(call)
        expected = read_precondition(call.headers)
        await self._documents.put(scope, document_id, new, expected, self._guard(call))
        return web.Response(status=204)

    def _guard(self, call: LrsCall) -> WriteGuard:
        """1.0.3 asks for a precondition on every profile (§2.6, §2.7), 2.0 on any document replaced (§4.1.4).

        A client that speaks an older 1.0.x, such as TinCanPython, may make a profile without one.
        """
        if call.version == "1.0.3" and self._kind == "state":
            return WriteGuard.NONE
        return WriteGuard.ALWAYS if call.headers[VERSION_HEADER] == "1.0.3" else WriteGuard.REPLACING

    async def post(self, call: LrsCall) -> web.StreamResponse:
        """Merge a JSON object into the document, or store the document if there is none."""
        scope, document_id, new = await self._read(call)
        await self._documents.merge(scope, document_id, new, read_precondition(call.headers))
        return web.Response(status=204)

    async def delete(self, call: LrsCall) -> web.StreamResponse:
        """Delete a document, or without its id, of state, those there are."""
        is_single = self._kind != "state" or self._id in call.params
        scope = self._scope(call, frozenset({self._id} if is_single else ()))
        if is_single:
            await self._documents.delete(scope, call.params[self._id], read_precondition(call.headers))
        else:
            await self._documents.clear(scope)
        return web.Response(status=204)

    async def _read(self, call: LrsCall) -> tuple[DocumentScope, str, XapiDocument]:
        scope = self._scope(call, frozenset({self._id}))
        content_type = call.headers.get("Content-Type", "application/octet-stream")
        if not _HEADER.fullmatch(content_type):
            raise Malformed("Content-Type must be printable ASCII, since the document is answered with it.")
        new = XapiDocument(await call.body(self._limit), content_type, datetime.now(UTC))
        if new.is_json:
            _check_json(new)
        return scope, call.params[self._id], new

    def _scope(
        self, call: LrsCall, required_names: frozenset[str], optional: frozenset[str] = frozenset()
    ) -> DocumentScope:
        call.credential.need(_SCOPES[self._kind])
        parameters.check_names(call.params, self._optional | optional, self._owner | required_names)
        agent = parameters.read_agent(call.params)
        return DocumentScope(
            self._kind,
            parameters.read_iri(call.params, "activityId"),
            identifier_key(agent) if agent else None,
            parameters.read_uuid(call.params, "registration"),
        )


def read_precondition(headers: CIMultiDict[str]) -> Precondition:
    """Return what the headers expect; raises ``Malformed``."""
    return Precondition(_tags(headers, "If-Match"), _tags(headers, "If-None-Match"))


def _tags(headers: CIMultiDict[str], name: str) -> Sequence[str] | None:
    if name not in headers:
        return None
    header = ", ".join(headers.getall(name))
    if bare := _BARE.fullmatch(header):
        return [f'"{bare[1]}"']
    try:
        return read_tags(header)
    except ValueError:
        raise Malformed(f'{name} must hold entity tags such as "abc", or * (RFC 9110 §13.1).') from None


def _check_json(new: XapiDocument) -> None:
    try:
        orjson.loads(new.content)
    except orjson.JSONDecodeError:
        raise Malformed("The body is not JSON, as its content type says (xAPI-Communication §2.2).") from None


def _http_date(when: datetime) -> str:
    return format_datetime(when.astimezone(UTC), usegmt=True)
