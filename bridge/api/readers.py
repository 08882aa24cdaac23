"""Who calls, in the terms of the access log; and the note that is made of every caller who is refused (R64)."""

from __future__ import annotations

from aiohttp import web
from aiohttp.typedefs import Handler

from bridge.api.context import CALLER, CORRELATION_ID, Call
from bridge.api.metrics import template
from bridge.api.parts import ACCESS
from bridge.domain.access import Reader
from bridge.errors import BridgeError, Forbidden, NotFound


def reader(call: Call) -> Reader:
    """Return the caller of a call, for the access log."""
    return _reader(call.request)


@web.middleware
async def note_denials(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Note a caller who may not do this, or asked for what is not theirs or not there, before the answer leaves."""
    try:
        return await handler(request)
    except (Forbidden, NotFound) as error:
        if CALLER in request and ACCESS in request.app:
            await _note(request, error)
        raise


async def _note(request: web.Request, error: BridgeError) -> None:
    await request.app[ACCESS].denied(_reader(request), dict(request.match_info), error.status)


def _reader(request: web.Request) -> Reader:
    caller = request[CALLER]
    call = f"{request.method} {template(request)}"
    return Reader(caller.subject, tuple(sorted(caller.roles)), call, request[CORRELATION_ID])
