"""The Statement resource (xAPI-Communication §2.1, IEEE 9274.1.1 §4.1.6.1)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from email.utils import format_datetime
from typing import Final

import orjson
from aiohttp import web

from bridge.domain.lrs.parsing import IncomingStatement, parse_batch, parse_single
from bridge.domain.lrs.rows import StoredAttachment
from bridge.domain.lrs.serialization import to_datetime
from bridge.lrs import multipart, parameters
from bridge.lrs.calls import LrsCall
from bridge.lrs.multipart import StatementsBody
from bridge.lrs.queries import FILTERS, SHOWING, PageRequest, parse_link, parse_query, read_format
from bridge.services.lrs.reading import StatementView
from bridge.services.lrs.services import LrsServices
from bridge.texts import accepted

PAGE_SIZE: Final = 500
"""Statements of one answer, at most."""

PAGE_BYTES: Final = 4 * 2**20
"""An answer ends after the statement that passes this, so that large statements do not grow the process."""


@dataclass(frozen=True, slots=True)
class StatementLimits:
    """Bytes that are taken: of all statements of a request together, and of one."""

    body: int
    statement: int


@dataclass(slots=True)
class AnswerPage:
    """Statements for one answer, and where the next begins."""

    texts: list[bytes] = field(default_factory=list[bytes])
    stored_attachments: list[StoredAttachment] = field(default_factory=list[StoredAttachment])
    more_link: str = ""


class StatementResource:
    """Handlers of the resource; ``path`` is where it is mounted, for the ``more`` links."""

    def __init__(self, services: LrsServices, limits: StatementLimits, path: str) -> None:
        self._writer = services.writer
        self._reader = services.reader
        self._attachments = services.attachments
        self._limits = limits
        self._path = path

    async def put(self, call: LrsCall) -> web.StreamResponse:
        """Store one statement under the id that the parameter names."""
        parameters.check_names(call.params, frozenset(), frozenset({"statementId"}))
        statement_id = parameters.read_uuid(call.params, "statementId") or ""
        body = await self._read_body(call)
        statements = parse_single(body.text, call.version, self._limits.statement, statement_id)
        await self._store(call, statements, body)
        return web.Response(status=204)

    async def post(self, call: LrsCall) -> web.StreamResponse:
        """Store statements, all or none; answers their ids in order."""
        parameters.check_names(call.params, frozenset())
        body = await self._read_body(call)
        statements = parse_batch(body.text, call.version, self._limits.statement)
        await self._store(call, statements, body)
        ids = [statement.statement.get("id", statement.statement_id) for statement in statements]
        return web.Response(body=orjson.dumps(ids), content_type="application/json")

    async def _read_body(self, call: LrsCall) -> StatementsBody:
        call.credential.need("statements/write")
        return await multipart.read_body(call, self._limits.body)

    async def _store(self, call: LrsCall, statements: Sequence[IncomingStatement], body: StatementsBody) -> None:
        await self._writer.store(statements, call.credential, call.version, body.parts)

    async def get(self, call: LrsCall) -> web.StreamResponse:
        """Answer one statement, or those that the parameters ask for."""
        if "more" in call.params:
            parameters.check_names(call.params, frozenset({"more"}))
            return await self._answer_page(call, parse_link(call.params["more"]))
        if "statementId" in call.params or "voidedStatementId" in call.params:
            return await self._answer_statement(call)
        parameters.check_names(call.params, FILTERS | SHOWING)
        return await self._answer_page(call, parse_query(call.params))

    async def _answer_statement(self, call: LrsCall) -> web.StreamResponse:
        name = "voidedStatementId" if "voidedStatementId" in call.params else "statementId"
        parameters.check_names(call.params, SHOWING, frozenset({name}))
        statement_id = parameters.read_uuid(call.params, name) or ""
        view = StatementView(call.version, read_format(call.params), accepted(call.headers.get("Accept-Language", "")))
        is_voided = name == "voidedStatementId"
        statement = await self._reader.get(statement_id, call.credential, view, voided=is_voided)
        headers = {"Last-Modified": format_datetime(to_datetime(statement.at), usegmt=True)}
        stored_attachments = statement.stored_attachments if parameters.read_flag(call.params, "attachments") else None
        return await self._answer(call, statement.text, stored_attachments, headers)

    async def _answer_page(self, call: LrsCall, request: PageRequest) -> web.StreamResponse:
        page = await self._read_page(call, request)
        more_link = orjson.dumps(f"{self._path}?more={page.more_link}" if page.more_link else "")
        body = b'{"statements":[' + b",".join(page.texts) + b'],"more":' + more_link + b"}"
        return await self._answer(call, body, page.stored_attachments if request.attachments else None, {})

    async def _read_page(self, call: LrsCall, request: PageRequest) -> AnswerPage:
        limit = min(request.limit or PAGE_SIZE, PAGE_SIZE)
        view = StatementView(call.version, request.format, accepted(call.headers.get("Accept-Language", "")))
        page, size, last = AnswerPage(), 0, None
        async for statement in self._reader.find(request.query(), call.credential, view, limit + 1):
            if last and (len(page.texts) == limit or size > PAGE_BYTES):
                page.more_link = request.link_after(last)
                break
            page.texts.append(statement.text)
            page.stored_attachments += statement.stored_attachments
            size, last = size + len(statement.text), statement
        return page

    async def _answer(
        self,
        call: LrsCall,
        body: bytes,
        stored_attachments: Sequence[StoredAttachment] | None,
        headers: Mapping[str, str],
    ) -> web.StreamResponse:
        """Answer statements, with the data of attachments if those are asked for (None: they are not)."""
        if stored_attachments is None:
            return web.Response(body=body, content_type="application/json", headers=headers)
        return await multipart.answer_with_attachments(call, body, stored_attachments, self._attachments, headers)
