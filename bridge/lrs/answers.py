"""Error answers of the LRS: JSON that says what was expected and where the specification says so."""

from __future__ import annotations

from http import HTTPStatus

import orjson
from aiohttp import web

from bridge.errors import BridgeError, MethodNotAllowed, Unauthenticated

_BAD_INPUT = frozenset({HTTPStatus.UNPROCESSABLE_ENTITY, HTTPStatus.UNSUPPORTED_MEDIA_TYPE})


def error_answer(error: BridgeError, correlation_id: str) -> web.Response:
    """Return the answer that tells of ``error``; a 500 tells its title only.

    xAPI knows neither 415 nor 422: what is wrong with a request is 400 (xAPI-Communication §3.2).
    """
    status = HTTPStatus.BAD_REQUEST if error.status in _BAD_INPUT else HTTPStatus(error.status)
    body = {
        "error": "A valid key and secret are needed" if isinstance(error, Unauthenticated) else error.title,
        "detail": error.title if status == HTTPStatus.INTERNAL_SERVER_ERROR else error.detail,
        "errors": [{"pointer": fault.pointer, "message": fault.message} for fault in error.field_errors],
        "correlation_id": correlation_id,
    }
    return web.Response(
        status=status, body=orjson.dumps(body), content_type="application/json", headers=_headers(error)
    )


def _headers(error: BridgeError) -> dict[str, str]:
    headers = {"Retry-After": str(error.retry_after)} if error.retry_after is not None else {}
    if isinstance(error, MethodNotAllowed) and error.allow:
        headers["Allow"] = ", ".join(error.allow)
    if isinstance(error, Unauthenticated):
        headers["WWW-Authenticate"] = 'Basic realm="xAPI", charset="UTF-8"'
    return headers
