"""What the API counts for Prometheus: calls and their duration, by route template, method and status."""

from __future__ import annotations

from typing import Final

from aiohttp import web
from prometheus_client import Counter, Histogram

_LABELS = ("route", "method", "status")
REQUESTS: Final = Counter("bridge_http_requests_total", "HTTP calls answered.", _LABELS)
SECONDS: Final = Histogram("bridge_http_request_seconds", "Seconds to answer an HTTP call.", ("route", "method"))

_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})


def template(request: web.Request) -> str:
    """The route's path with its parameters in braces: what may be logged and counted, unlike the path itself."""
    resource = request.match_info.route.resource
    return resource.canonical if resource is not None else "unmatched"


def method(request: web.Request) -> str:
    """The method, or ``other``: a client may send any word."""
    return request.method if request.method in _METHODS else "other"


def count(request: web.Request, status: int, seconds: float) -> None:
    """Count one answered call."""
    REQUESTS.labels(template(request), method(request), str(status)).inc()
    SECONDS.labels(template(request), method(request)).observe(seconds)
