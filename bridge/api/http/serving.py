"""Serves a declared route: admits the caller, reads what goes in, calls the handler, writes what comes out."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from http import HTTPStatus
from typing import Any

from aiohttp import web

from bridge.api.http.auth import GATE
from bridge.api.http.conditional import not_modified
from bridge.api.http.context import SETTINGS, Call
from bridge.api.http.inputs import NoQuery, read_body, read_query
from bridge.api.http.routing import Answer, Route
from bridge.deadlines import deadline
from bridge.errors import NotFound

MAX_PARAMETER = 200
"""Characters of a path parameter; nothing has a longer id."""


def serve(route: Route) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
    """The aiohttp handler of ``route``."""

    async def handle(request: web.Request) -> web.StreamResponse:
        limit = request.app[SETTINGS].request_timeout if route.timed else None
        async with deadline(limit, "This", "try again"):
            return await _serve(route, request)

    return handle


async def _serve(route: Route, request: web.Request) -> web.StreamResponse:
    caller = await request.app[GATE].admit(request, route.roles)
    call = Call(request, caller, _path(request))
    arguments = await _read_arguments(route, request)
    if route.idempotent:
        call.idempotency_key()
    if route.if_match:
        call.if_match()  # last: a precondition counts only for a request that is good without it (RFC 9110 §13.2.1)
    return _respond(route, request, await route.handler(call, **arguments))


async def _read_arguments(route: Route, request: web.Request) -> dict[str, Any]:
    query = read_query(request, route.query or NoQuery)
    arguments: dict[str, Any] = {"query": query} if route.query is not None else {}
    if route.body is not None:
        arguments["body"] = await read_body(request, route.body, route.shown)
    return arguments


def _path(request: web.Request) -> dict[str, str]:
    if any(len(value) > MAX_PARAMETER for value in request.match_info.values()):
        raise NotFound("There is nothing at this address, or it is not yours.")
    return dict(request.match_info)


def _respond(route: Route, request: web.Request, result: Any) -> web.StreamResponse:
    if isinstance(result, web.StreamResponse):
        return result
    answer = result if isinstance(result, Answer) else Answer(result)
    headers, status = answer.all_headers(), answer.status or route.statuses[0]
    reads = request.method in {"GET", "HEAD"} and status == HTTPStatus.OK
    if reads and "ETag" in headers and not_modified(request.headers.get("If-None-Match"), headers["ETag"]):
        return web.Response(status=HTTPStatus.NOT_MODIFIED, headers={"ETag": headers["ETag"]})
    if route.answer is None:
        return web.Response(status=status, headers=headers)
    # Shaped by the declared type first: what is not in the document does not leave.
    shaped = route.adapter.validate_python(answer.body, from_attributes=True)
    body = route.adapter.dump_json(shaped, by_alias=True, warnings="error")
    return web.Response(status=status, body=body, content_type="application/json", charset="utf-8", headers=headers)
