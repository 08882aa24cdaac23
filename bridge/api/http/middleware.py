"""Middleware of every request: a correlation id, a log line, a count, and a problem document when it fails."""

from __future__ import annotations

import re
import secrets
import time
import uuid
from http import HTTPStatus
from typing import Final
from urllib.parse import unquote_to_bytes

import structlog
from aiohttp import web
from aiohttp.typedefs import Handler
from structlog.contextvars import bound_contextvars

from bridge import logs, metrics, tracing
from bridge.api.http import problems
from bridge.api.http.context import CALLER, CORRELATION_ID, SETTINGS, TRACEPARENT, Caller
from bridge.api.http.languages import asked_languages, language_of
from bridge.api.http.service_keys import ACCESS
from bridge.domain.privacy import Reader
from bridge.errors import BridgeError, Forbidden, Malformed, NotFound, Unauthenticated
from bridge.metrics import REQUEST_SECONDS, REQUESTS, bounded
from bridge.texts import Text, match
from bridge.tracing import Fact

log = structlog.get_logger()

SECURITY_HEADERS: Final = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}

_METHODS: Final = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
_HAS_BEGUN: Final = web.RequestKey("begun", bool)  # the answer's first byte may have left
_CORRELATION = re.compile(r"[A-Za-z0-9._-]{1,128}")
_UNTRACED_PATHS: Final = frozenset({"/health/live", "/health/ready", "/metrics"})
"""What is asked every few seconds begins no trace of its own."""

_BAD_PERCENT = re.compile(r"%(?![0-9A-Fa-f]{2})")


def route_template(request: web.Request) -> str:
    """The route's path with its parameters in braces: what may be logged and counted, unlike the path itself."""
    resource = request.match_info.route.resource
    return resource.canonical if resource is not None else "unmatched"


def _method(request: web.Request) -> str:
    """The method, or ``other``: a client may send any word."""
    return bounded(request.method, _METHODS)


@web.middleware
async def trace(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Take or make the correlation id and trace context, and log and count the call by its route template."""
    identify(request)
    parent = _parent(request)
    method, route = _method(request), route_template(request)
    started, status = time.perf_counter(), 500
    facts: dict[str, Fact] = {"http.request.method": method, "http.route": route}
    with tracing.span(f"{method} {route}", "server", parent, facts) as span:
        request[TRACEPARENT] = span.traceparent or request[TRACEPARENT]
        with bound_contextvars(correlation_id=request[CORRELATION_ID], traceparent=request[TRACEPARENT]):
            try:
                response = await handler(request)
                status = response.status
            except web.HTTPException as redirect:
                status = redirect.status
                raise
            else:
                return response
            finally:
                _tell(request, status, time.perf_counter() - started)
                span.note("http.response.status_code", status)
                if status >= 500:
                    span.fail()


def identify(request: web.Request) -> None:
    """Give the request its correlation id and its trace context: as sent, if they are well-formed."""
    correlation = request.headers.get("X-Correlation-Id", "")
    request[CORRELATION_ID] = correlation if _CORRELATION.fullmatch(correlation) else uuid.uuid4().hex
    request[TRACEPARENT] = (
        tracing.valid(request.headers.get(tracing.HEADER)) or f"00-{uuid.uuid4().hex}-{secrets.token_hex(8)}-00"
    )


def _parent(request: web.Request) -> str | None:
    """The trace that the request continues (None: a span of ours begins one)."""
    is_given = tracing.valid(request.headers.get(tracing.HEADER)) is not None
    is_own = not is_given and route_template(request) not in _UNTRACED_PATHS and tracing.spans() is not None
    return None if is_own else request[TRACEPARENT]


def refuse(request: web.Request, error: web.HTTPException) -> web.Response:
    """The answer to what aiohttp refuses before the middleware runs, logged and counted as any other."""
    identify(request)
    _tell(request, error.status, 0.0)
    return _answer_http(request, error, match(asked_languages(request)))


def _tell(request: web.Request, status: int, seconds: float) -> None:
    REQUESTS.labels(route_template(request), _method(request), str(status)).inc()
    REQUEST_SECONDS.labels(route_template(request), _method(request)).observe(seconds)
    log.info(
        "http_request",
        method=_method(request),
        route=route_template(request),
        status=status,
        ms=round(seconds * 1000, 1),
    )


@web.middleware
async def answer_problems(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Turn whatever goes wrong into a problem document; a 500 is logged, and tells the caller nothing."""
    try:
        return await handler(request)
    except Exception as error:
        if isinstance(error, web.HTTPException) and error.status < HTTPStatus.BAD_REQUEST:
            raise
        try:
            return await _answer(request, error)
        finally:
            logs.release(error)


async def _answer(request: web.Request, error: Exception) -> web.Response:
    if isinstance(error, web.RequestPayloadError):
        error = Malformed(Text("The body broke off, or is not in the encoding it names."))
    if isinstance(error, web.HTTPException):
        _check_not_begun(request)
        return _answer_http(request, error, await language_of(request))
    if not isinstance(error, BridgeError):
        log.error("request_crashed", **logs.failure(error))  # frames and type, never the exception's words
        error = BridgeError()
    elif error.status >= 500:
        log.warning("request_failed", slug=error.slug, **logs.failure(error))
    _check_not_begun(request)
    return problems.answer(request, error, await language_of(request))


def _answer_http(request: web.Request, error: web.HTTPException, language: str) -> web.Response:
    problem = problems.of_http(error)
    if problem is None:
        return problems.answer_untyped(request, error.status)
    allow = {"Allow": error.headers["Allow"]} if "Allow" in error.headers else {}
    return problems.answer(request, problem, language, allow)


def _check_not_begun(request: web.Request) -> None:
    """Break the connection when the answer has begun, so that the client sees it is not whole."""
    if not request.get(_HAS_BEGUN, False):
        return
    if request.transport is not None:
        request.transport.abort()
    raise ConnectionResetError("the answer failed after it had begun")


@web.middleware
async def refuse_malformed(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Refuse a request target that is not percent-encoded UTF-8, or hides a NUL."""
    target = request.raw_path
    target_bytes = unquote_to_bytes(target.encode("utf-8", "surrogateescape"))
    if _BAD_PERCENT.search(target) or b"\0" in target_bytes or not _is_utf8(target_bytes):
        raise Malformed(Text("The address is not percent-encoded UTF-8 (RFC 3986 §2.1)."))
    return await handler(request)


def _is_utf8(data: bytes) -> bool:
    try:
        data.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True


class Dress:
    """The headers that every answer has."""

    def __init__(self, public_url: str | None = None, origins: tuple[str, ...] = ()) -> None:
        """For a service that is reached at ``public_url``, and called by browsers from ``origins``."""
        is_secure = (public_url or "").startswith("https://")
        transport = {"Strict-Transport-Security": "max-age=31536000"} if is_secure else {}
        self._common = SECURITY_HEADERS | transport
        self._origins = origins

    async def on_prepare(self, request: web.Request, response: web.StreamResponse) -> None:
        """Add them to an answer that is about to leave, streamed ones included (aiohttp's ``on_response_prepare``)."""
        request[_HAS_BEGUN] = True
        self(request, response)

    def __call__(self, request: web.Request, response: web.StreamResponse) -> None:
        """Add them."""
        if CORRELATION_ID not in request:  # refused before the middleware
            identify(request)
        for name, value in self._common.items():
            response.headers.setdefault(name, value)
        vary = response.headers.get("Vary")
        response.headers.update(cors_headers(request, self._origins))
        if vary:  # both the origin and the language
            response.headers["Vary"] = ", ".join(
                dict.fromkeys([*vary.split(", "), *response.headers["Vary"].split(", ")])
            )
        response.headers["X-Correlation-Id"] = request[CORRELATION_ID]
        response.headers["traceparent"] = request[TRACEPARENT]
        response.headers["Server"] = problems.SERVER


DRESS: Final = web.AppKey("dress", Dress)


_PREFLIGHT = {
    "Access-Control-Allow-Methods": "GET, HEAD, POST, PUT, PATCH, DELETE",
    "Access-Control-Allow-Headers": (
        "Accept-Language, Authorization, Content-Type, Idempotency-Key, If-Match, If-None-Match, X-Correlation-Id, "
        "X-Experience-API-Hash, X-Experience-API-Version, traceparent"
    ),
    "Access-Control-Max-Age": "600",
}
_EXPOSED_HEADERS = (
    "Content-Disposition, ETag, Last-Modified, Location, Retry-After, WWW-Authenticate, X-Correlation-Id, "
    "X-Experience-API-Consistent-Through, X-Experience-API-Version, traceparent"
)


def cors_headers(request: web.Request, origins: tuple[str, ...]) -> dict[str, str]:
    """The headers by which a portal's page may read any answer to this request (Fetch standard, CORS protocol)."""
    if not origins:
        return {}
    origin = request.headers.get("Origin", "")
    rights = {"Access-Control-Allow-Origin": origin, "Access-Control-Expose-Headers": _EXPOSED_HEADERS}
    return {"Vary": "Origin", **(rights if origin in origins else {})}


@web.middleware
async def preflight(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Answer a preflight for a path that exists, from an origin that may call."""
    asks = request.method == "OPTIONS" and "Access-Control-Request-Method" in request.headers
    if not asks or request.headers.get("Origin") not in request.app[SETTINGS].cors_origins or _is_nowhere(request):
        return await handler(request)
    return web.Response(status=HTTPStatus.NO_CONTENT, headers=_PREFLIGHT)


def _is_nowhere(request: web.Request) -> bool:
    error = request.match_info.http_exception
    return error is not None and error.status == HTTPStatus.NOT_FOUND


def reader(request: web.Request) -> Reader:
    """Return the caller of a request, for the access log."""
    caller = request[CALLER]
    call = f"{request.method} {route_template(request)}"
    return Reader(caller.subject, tuple(sorted(caller.roles)), call, request[CORRELATION_ID])


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
            if ACCESS in request.app:
                await request.app[ACCESS].record_denial(reader(request), dict(request.match_info), error.status)
        raise


def _role(caller: Caller) -> str:
    (role, *more_roles) = sorted(caller.roles) or ["none"]
    return "several" if more_roles else role
