"""What the API counts for Prometheus: calls and their duration, by route template, method and status."""

from __future__ import annotations

from aiohttp import web

from bridge.metrics import REQUEST_SECONDS, REQUESTS, bounded

_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})


def template(request: web.Request) -> str:
    """The route's path with its parameters in braces: what may be logged and counted, unlike the path itself."""
    resource = request.match_info.route.resource
    return resource.canonical if resource is not None else "unmatched"


def method(request: web.Request) -> str:
    """The method, or ``other``: a client may send any word."""
    return bounded(request.method, _METHODS)


def count(request: web.Request, status: int, seconds: float) -> None:
    """Count one answered call."""
    REQUESTS.labels(template(request), method(request), str(status)).inc()
    REQUEST_SECONDS.labels(template(request), method(request)).observe(seconds)
