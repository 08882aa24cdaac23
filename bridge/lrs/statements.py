"""The Statement resource (xAPI-Communication §2.1, IEEE 9274.1.1 §4.1.6.1)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from email.utils import format_datetime
from typing import Final

import orjson
from aiohttp import web

from bridge.domain.lrs import IncomingStatement, parse_batch, parse_single, to_datetime
from bridge.domain.statements import AttachmentRow
from bridge.lrs import multipart, parameters
from bridge.lrs.calls import LrsCall
from bridge.lrs.multipart import StatementsBody
from bridge.lrs.queries import FILTERS, SHOWING, PageRequest, parse_link, parse_query, read_format
from bridge.services.lrs.reading import StatementText, StatementView
from bridge.services.lrs.services import LrsServices
from bridge.settings import Settings
from bridge.texts import accepted

PAGE_SIZE: Final = 500
"""Statements of one answer, at most."""

PAGE_BYTES: Final = 4 * 2**20
"""An answer ends after the statement that passes this, so that large statements do not grow the process."""


OVERHEAD: Final = 4096
"""Bytes that a statement may grow by what the LRS adds, on its way to the broker."""


class StatementResource:
    """Handlers of the resource; ``path`` is where it is mounted, for the ``more`` links."""

    def __init__(self, services: LrsServices, settings: Settings, path: str) -> None:
        self._writer = services.writer
        self._reader = services.reader
        self._attachments = services.attachments
        self._largest_body = settings.lrs_max_body_bytes
        self._largest_statement = settings.max_statement_bytes - OVERHEAD
        self._path = path

    async def put(self, call: LrsCall) -> web.StreamResponse:
        """Store one statement under the id that the parameter names."""
        parameters.check_names(call.params, frozenset(), frozenset({"statementId"}))
        statement_id = parameters.read_uuid(call.params, "statementId") or ""
        body = await self._read_body(call)
        statements = parse_single(body.text, call.version, self._largest_statement, statement_id)
        await self._store(call, statements, body)
        return web.Response(status=204)

    async def post(self, call: LrsCall) -> web.StreamResponse:
        """Store statements, all or none; answers their ids in order."""
        parameters.check_names(call.params, frozenset())
        body = await self._read_body(call)
        statements = parse_batch(body.text, call.version, self._largest_statement)
        await self._store(call, statements, body)
        ids = [statement.statement.get("id", statement.statement_id) for statement in statements]
        return web.Response(body=orjson.dumps(ids), content_type="application/json")

    async def _read_body(self, call: LrsCall) -> StatementsBody:
        call.credential.need("statements/write")
        return await multipart.read_body(call, self._largest_body)

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
        limit = min(request.limit or PAGE_SIZE, PAGE_SIZE)
        view = StatementView(call.version, request.format, accepted(call.headers.get("Accept-Language", "")))
        statements: list[StatementText] = []
        size, more_link = 0, ""
        async for statement in self._reader.find(request.query(), call.credential, view, limit + 1):
            if statements and (len(statements) == limit or size > PAGE_BYTES):
                more_link = f"{self._path}?more={request.link_after(statements[-1])}"
                break
            statements.append(statement)
            size += len(statement.text)
        texts = b",".join(statement.text for statement in statements)
        body = b'{"statements":[' + texts + b'],"more":' + orjson.dumps(more_link) + b"}"
        stored_attachments = [attachment for statement in statements for attachment in statement.stored_attachments]
        return await self._answer(call, body, stored_attachments if request.attachments else None, {})

    async def _answer(
        self,
        call: LrsCall,
        body: bytes,
        stored_attachments: Sequence[AttachmentRow] | None,
        headers: Mapping[str, str],
    ) -> web.StreamResponse:
        """Answer statements, with the data of attachments if those are asked for (None: they are not)."""
        if stored_attachments is None:
            return web.Response(body=body, content_type="application/json", headers=headers)
        return await multipart.answer_with_attachments(call, body, stored_attachments, self._attachments, headers)
