"""Readers, in the terms of the access log, and the entry of every caller who is refused (R64)."""

from __future__ import annotations

from aiohttp import web
from aiohttp.typedefs import Handler

from bridge import metrics
from bridge.api.http.context import CALLER, CORRELATION_ID, Call, Caller
from bridge.api.http.middleware import route_template
from bridge.api.http.service_keys import ACCESS
from bridge.domain.privacy.access import Reader
from bridge.errors import BridgeError, Forbidden, NotFound, Unauthenticated


def reader(call: Call) -> Reader:
    """Return the caller of a call, for the access log."""
    return _reader(call.request)


@web.middleware
async def note_denials(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Note a caller who may not do this, or asked for what is not theirs or not there, before the answer leaves."""
    try:
        return await handler(request)
    except Unauthenticated as error:
        metrics.denied(error.slug, "none")
        raise
    except (Forbidden, NotFound) as error:
        if CALLER in request:
            metrics.denied(error.slug, _role(request[CALLER]))
            await _note(request, error)
        raise


def _role(caller: Caller) -> str:
    (role, *more) = sorted(caller.roles) or ["none"]
    return "several" if more else role


async def _note(request: web.Request, error: BridgeError) -> None:
    if ACCESS in request.app:
        await request.app[ACCESS].record_denial(_reader(request), dict(request.match_info), error.status)


def _reader(request: web.Request) -> Reader:
    caller = request[CALLER]
    call = f"{request.method} {route_template(request)}"
    return Reader(caller.subject, tuple(sorted(caller.roles)), call, request[CORRELATION_ID])
