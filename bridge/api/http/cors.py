"""Cross-origin calls from the portals that the settings name (Fetch standard, CORS protocol). No cookies are in use."""

from __future__ import annotations

from http import HTTPStatus

from aiohttp import web
from aiohttp.typedefs import Handler, Middleware

_PREFLIGHT = {
    "Access-Control-Allow-Methods": "GET, HEAD, POST, PUT, PATCH, DELETE",
    "Access-Control-Allow-Headers": (
        "Accept-Language, Authorization, Content-Type, Idempotency-Key, If-Match, If-None-Match, X-Correlation-Id, "
        "X-Experience-API-Hash, X-Experience-API-Version, traceparent"
    ),
    "Access-Control-Max-Age": "600",
}
_EXPOSED = (
    "Content-Disposition, ETag, Last-Modified, Location, Retry-After, WWW-Authenticate, X-Correlation-Id, "
    "X-Experience-API-Consistent-Through, X-Experience-API-Version, traceparent"
)


def headers(request: web.Request, origins: tuple[str, ...]) -> dict[str, str]:
    """The headers that any answer to this request carries."""
    if not origins:
        return {}
    origin = request.headers.get("Origin", "")
    allowed = {"Access-Control-Allow-Origin": origin, "Access-Control-Expose-Headers": _EXPOSED}
    return {"Vary": "Origin", **(allowed if origin in origins else {})}


def preflight(origins: tuple[str, ...]) -> Middleware:
    """The middleware that answers a preflight for a path that exists, from an origin that may call."""

    @web.middleware
    async def middleware(request: web.Request, handler: Handler) -> web.StreamResponse:
        asks = request.method == "OPTIONS" and "Access-Control-Request-Method" in request.headers
        if not asks or request.headers.get("Origin") not in origins or _is_nowhere(request):
            return await handler(request)
        return web.Response(status=HTTPStatus.NO_CONTENT, headers=_PREFLIGHT)

    return middleware


def _is_nowhere(request: web.Request) -> bool:
    error = request.match_info.http_exception
    return error is not None and error.status == HTTPStatus.NOT_FOUND
