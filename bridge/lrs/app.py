"""The LRS as an application to be mounted: resources, dispatch by method, headers, errors."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping
from functools import partial
from typing import Final

import structlog
from aiohttp import web
from aiohttp.typedefs import Handler, Middleware

from bridge import logs, metrics
from bridge.deadlines import TOO_SLOW, deadline
from bridge.domain.lrs import format_time
from bridge.errors import BridgeError, Forbidden, Malformed, MethodNotAllowed, NotFound, Unauthenticated
from bridge.lrs import answers
from bridge.lrs.admission import ANSWERED_VERSION, Admission, answered_version
from bridge.lrs.calls import LATEST, VERSION_HEADER, LrsCall, method_of, version_of
from bridge.lrs.documents import DocumentResource
from bridge.lrs.objects import ObjectResource, answer_about
from bridge.lrs.statements import StatementResource
from bridge.services.lrs.services import LrsServices
from bridge.services.lrs.timestamps import StoredTimestamps
from bridge.settings import Settings

log = structlog.get_logger(__name__)

MOUNT: Final = "/xapi"
THROUGH_HEADER: Final = "X-Experience-API-Consistent-Through"
_THROUGH: Final = web.RequestKey("lrs_consistent_through", str)
_BEGUN: Final = web.RequestKey("lrs_begun", bool)


Operation = Callable[[LrsCall], Awaitable[web.StreamResponse]]
Count = Callable[[str], None]


def create_lrs(
    settings: Settings, lrs: LrsServices, count: Count, correlation_id: web.RequestKey[str], path: str = MOUNT
) -> web.Application:
    """The application; ``path`` is where callers reach it, ``correlation_id`` where the host keeps a request's id.

    ``count`` counts a credential's call, and raises ``RateLimited`` when it is one too many.
    """
    admission = Admission(lrs.credentials, count, max(settings.lrs_max_body_bytes, settings.lrs_max_document_bytes))
    app = web.Application(middlewares=[_answering(lrs.timestamps, correlation_id)])
    app.router.add_route("*", "/about", _about)
    for place, methods in _resources(settings, lrs, path).items():
        app.router.add_route("*", place, _dispatch(methods, admission, settings))
    app.on_response_prepare.append(_finishing(lrs.timestamps))
    return app


def _resources(settings: Settings, lrs: LrsServices, path: str) -> Mapping[str, Mapping[str, Operation]]:
    statements = StatementResource(lrs, settings, f"{path}/statements")
    objects = ObjectResource(lrs.reader)
    documents, largest = lrs.documents, settings.lrs_max_document_bytes
    return {
        "/statements": {"GET": statements.get, "PUT": statements.put, "POST": statements.post},
        "/activities": {"GET": objects.activity},
        "/agents": {"GET": objects.agent},
        "/activities/state": _methods(DocumentResource(documents, "state", largest)),
        "/activities/profile": _methods(DocumentResource(documents, "activity profile", largest)),
        "/agents/profile": _methods(DocumentResource(documents, "agent profile", largest)),
    }


def _methods(resource: DocumentResource) -> Mapping[str, Operation]:
    return {"GET": resource.get, "PUT": resource.put, "POST": resource.post, "DELETE": resource.delete}


async def _about(request: web.Request) -> web.StreamResponse:
    _check_offered(request.method, ("GET",))
    if request.rel_url.raw_query_string:
        raise Malformed("This resource takes no parameters (xAPI-Communication §2.8).")
    header = request.headers.get(VERSION_HEADER)
    request[ANSWERED_VERSION] = LATEST if header is None else version_of(header)
    return answer_about(request[ANSWERED_VERSION] != LATEST)


def _dispatch(methods: Mapping[str, Operation], admission: Admission, settings: Settings) -> Handler:
    async def handle(request: web.Request) -> web.StreamResponse:
        method = method_of(request)
        _check_offered(method, methods)
        async with (
            deadline(settings.request_timeout, TOO_SLOW) as clock,
            admission.admit(request, partial(_extend, clock, settings.transfer_timeout)) as call,
        ):
            return await methods["GET" if method == "HEAD" else method](call)

    return handle


def _extend(clock: asyncio.Timeout, seconds: float) -> None:
    clock.reschedule(asyncio.get_running_loop().time() + seconds)


def _check_offered(method: str, methods: Iterable[str]) -> None:
    """Raise ``MethodNotAllowed`` for a method that a resource does not offer; where there is GET, there is HEAD."""
    offered_methods = [name for verb in methods for name in ((verb, "HEAD") if verb == "GET" else (verb,))]
    if method not in offered_methods:
        raise MethodNotAllowed(f"These methods are offered here: {', '.join(offered_methods)}.", allow=offered_methods)


def _answering(timestamps: StoredTimestamps, correlation_id: web.RequestKey[str]) -> Middleware:
    @web.middleware
    async def middleware(request: web.Request, handler: Handler) -> web.StreamResponse:
        request[ANSWERED_VERSION] = answered_version(request)
        request[_THROUGH] = format_time(timestamps.consistent_through())  # before anything is read
        try:
            return _without_body(request, await handler(request))
        except Exception as error:
            if request.get(_BEGUN, False):
                raise  # the host breaks the connection
            bridge_error = _as_bridge_error(error)
            if isinstance(bridge_error, Unauthenticated | Forbidden):
                metrics.denied(bridge_error.slug, "lrs")
            answer = _without_body(request, answers.error_answer(bridge_error, request[correlation_id]))
            logs.release(error)
            return answer

    return middleware


def _without_body(request: web.Request, answer: web.StreamResponse) -> web.StreamResponse:
    """Leave out the body that a HEAD has not: in the alternate request syntax, where HTTP knows of a POST alone."""
    if isinstance(answer, web.Response) and request.method == "POST" and request.query.get("method") == "HEAD":
        answer.body = None
    return answer


def _as_bridge_error(error: Exception) -> BridgeError:
    """Return the error to tell of; one that is not ours is logged without its words."""
    if isinstance(error, BridgeError):
        return error
    if isinstance(error, web.HTTPNotFound):
        return NotFound("There is no such resource.")
    if isinstance(error, web.HTTPException | web.RequestPayloadError | ConnectionResetError):  # the last: it has gone
        return Malformed("The body broke off, or is not in the encoding it names.")
    log.error("lrs_request_crashed", **logs.failure(error))
    return BridgeError()


def _finishing(timestamps: StoredTimestamps) -> Callable[[web.Request, web.StreamResponse], Awaitable[None]]:
    """The signal that gives an answer its headers, one that was made before the middleware ran included."""

    async def finish(request: web.Request, response: web.StreamResponse) -> None:
        request[_BEGUN] = True
        response.headers[VERSION_HEADER] = request.get(ANSWERED_VERSION) or answered_version(request)
        if request.path.rstrip("/").endswith("/statements"):
            response.headers[THROUGH_HEADER] = request.get(_THROUGH) or format_time(timestamps.consistent_through())

    return finish
