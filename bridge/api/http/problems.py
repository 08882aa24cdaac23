"""Errors as RFC 9457 problem documents."""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Mapping
from http import HTTPStatus

from aiohttp import web
from pydantic import BaseModel, Field

from bridge.api.http.context import CORRELATION_ID
from bridge.api.http.languages import language_headers
from bridge.errors import (
    NOTHING_HERE,
    BridgeError,
    FieldError,
    Malformed,
    MethodNotAllowed,
    NotFound,
    TooLarge,
    Unauthenticated,
    UnsupportedMediaType,
)
from bridge.texts import Text, translate

SERVER = "cpd-bridge"
"""What the header ``Server`` says."""

CONTENT_TYPE = "application/problem+json"
_OF_STATUS: Mapping[int, type[BridgeError]] = {
    error.status: error for error in (Malformed, NotFound, MethodNotAllowed, TooLarge, UnsupportedMediaType)
}
_DETAILS: Mapping[type[BridgeError], str] = {
    NotFound: NOTHING_HERE,
    MethodNotAllowed: Text("The Allow header names the methods that are offered here."),
    TooLarge: Text("Send less at once."),
}


class ProblemFault(BaseModel):
    """One fault in the input, in words that can be shown beside the field."""

    pointer: str = Field(description="JSON Pointer (RFC 6901) into the body, or `?name` for a query parameter.")
    field: str = Field(description="The field's name.")
    label: str = Field(description="What a person calls the field.")
    message: str = Field(description="What is wrong and how to mend it; plain text.")


class Problem(BaseModel):
    """A problem document (RFC 9457)."""

    type: str = Field(description="`/problems/<slug>`; the same slug always means the same kind of problem.")
    title: str
    status: int
    detail: str
    instance: str = Field(description="The path that was called.")
    correlation_id: str = Field(description="Quote this when asking for help.")
    errors: list[ProblemFault] | None = Field(
        default=None, exclude_if=lambda errors: errors is None, description="Faults in the input, one for each field."
    )


def uri(error: type[BridgeError]) -> str:
    """The problem ``type`` of an error class, relative to the service."""
    return f"/problems/{error.slug}"


def kinds(root: type[BridgeError] = BridgeError) -> Iterator[type[BridgeError]]:
    """Every error class there is, the root included."""
    yield root
    for kind in root.__subclasses__():
        yield from kinds(kind)


def of_http(error: web.HTTPException) -> BridgeError | None:
    """The project's error for one of aiohttp's own; ``None`` when it has no slug here."""
    kind = _OF_STATUS.get(error.status)
    return kind(_DETAILS.get(kind, "")) if kind else None


def answer(
    request: web.Request, error: BridgeError, language: str, headers: Mapping[str, str] | None = None
) -> web.Response:
    """The response that tells of ``error`` in a language; a 500 tells its title only, whatever its detail."""
    detail = error.title if error.status == HTTPStatus.INTERNAL_SERVER_ERROR else error.detail
    problem = Problem(
        type=uri(type(error)),
        title=translate(error.title, language),
        status=error.status,
        detail=translate(detail, language),
        instance=request.rel_url.raw_path,
        correlation_id=request[CORRELATION_ID],
        errors=[_shown(fault, language) for fault in error.field_errors] or None,
    )
    return _response(problem, {**_headers(request, error), **language_headers(language), **(headers or {})})


def answer_untyped(request: web.Request, status: int) -> web.Response:
    """The response for an HTTP error that has no slug of its own (RFC 9457 §4.2.1)."""
    kind = HTTPStatus(status)
    detail = kind.description or kind.phrase
    return _response(_untyped(kind, detail, request.rel_url.raw_path, request[CORRELATION_ID]), {})


def bare_answer(status: HTTPStatus, detail: str) -> bytes:
    """A whole answer for a connection that no request came on, after which it is closed."""
    correlation_id = uuid.uuid4().hex
    body = _untyped(status, detail, "/", correlation_id).model_dump_json().encode()
    headers = {
        "Content-Type": CONTENT_TYPE,
        "Content-Length": str(len(body)),
        "Cache-Control": "no-store",
        "Connection": "close",
        "Retry-After": "1",
        "Server": SERVER,
        "X-Correlation-Id": correlation_id,
    }
    lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    return f"HTTP/1.1 {status.value} {status.phrase}\r\n{lines}\r\n".encode() + body


def _response(problem: Problem, headers: Mapping[str, str]) -> web.Response:
    body = problem.model_dump_json().encode()
    return web.Response(status=problem.status, body=body, content_type=CONTENT_TYPE, headers=headers)


def _untyped(kind: HTTPStatus, detail: str, instance: str, correlation_id: str) -> Problem:
    return Problem(
        type="about:blank",
        title=kind.phrase,
        status=kind,
        detail=detail,
        instance=instance,
        correlation_id=correlation_id,
    )


def _headers(request: web.Request, error: BridgeError) -> dict[str, str]:
    headers = {"Retry-After": str(error.retry_after)} if error.retry_after is not None else {}
    if isinstance(error, Unauthenticated):
        # RFC 6750 §3.1: without credentials no error code
        reason = ', error="invalid_token"' if "Authorization" in request.headers else ""
        headers["WWW-Authenticate"] = f'Bearer realm="cpd-bridge"{reason}'
    return headers


def _shown(fault: FieldError, language: str) -> ProblemFault:
    return ProblemFault(
        pointer=fault.pointer,
        field=_field(fault.pointer),
        label=translate(fault.label, language),
        message=translate(fault.message, language),
    )


def _field(pointer: str) -> str:
    if pointer.startswith("?"):
        return pointer[1:]
    names = [part for part in pointer.split("/")[1:] if not part.isdigit()]
    return names[-1].replace("~1", "/").replace("~0", "~") if names else ""
