"""The OpenAPI 3.1 document, made from the route table and the same pydantic models that read and write the calls."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from http import HTTPStatus
from importlib.metadata import version
from typing import Any, Final, cast

from aiohttp import web

from bridge.api.http import problems
from bridge.api.http.auth import PUBLIC
from bridge.api.http.context import Call
from bridge.api.http.inputs import media_types
from bridge.api.http.routing import MAX_PARAMETER, Route, Routes
from bridge.api.http.schemas import NO_NUL, REF, Json, Schemas
from bridge.api.pages import PageFile
from bridge.domain.members import MEMBER_ID
from bridge.errors import (
    BridgeError,
    Conflict,
    Forbidden,
    Malformed,
    NotFound,
    PreconditionRequired,
    RateLimited,
    StaleVersion,
    TooLarge,
    Unauthenticated,
    Unavailable,
    UnsupportedMediaType,
    ValidationFailed,
)

routes = Routes("Service")

_RULE: Final = r"(?:R\d+|decision \d+|UK GDPR art\. \d+)"
_RULES: Final = re.compile(rf" \({_RULE}(?:(?:, |-){_RULE})*\)")


def _header(name: str, description: str, pattern: str = "", *, required: bool = False) -> Json:
    schema: Json = {"type": "string", **({"pattern": pattern} if pattern else {})}
    return {"name": name, "in": "header", "required": required, "description": description, "schema": schema}


def _answer_header(description: str, kind: str = "string", *, required: bool = True) -> Json:
    return {"description": description, "required": required, "schema": {"type": kind}}


_HEADERS: Final[Json] = {
    "X-Correlation-Id": _answer_header("Quote this when asking for help."),
    "ETag": _answer_header('The version, as `"3"`.'),
    "Content-Language": _answer_header("The language of the words, as `cy`, when there are any.", required=False),
    "Location": _answer_header("Where the new resource is, when it has an address of its own.", required=False),
    "Retry-After": _answer_header("Seconds to wait.", "integer"),
    "WWW-Authenticate": _answer_header("As in RFC 6750 §3."),
}
_PARAMETERS: Final[Json] = {
    # A new id is made for one that does not fit, and a tag that is none matches nothing: neither is refused.
    "correlation": _header("X-Correlation-Id", "1 to 128 of `A-Za-z0-9._-`, tying this call to what follows from it."),
    "if_match": _header(
        "If-Match", 'The ETag that was read, as `"3"`.', r'^(\*|"[0-9]{1,18}"(, "[0-9]{1,18}")*)$', required=True
    ),
    "language": _header(
        "Accept-Language", "What the words are to be in (RFC 9110 §12.5.4); a member's own `language` comes first."
    ),
    "if_none_match": _header("If-None-Match", "Answers 304 when this is still the ETag."),
    "idempotent": _header(
        "Idempotency-Key", "The same key and body give the same answer for 24 hours.", r"^[!-~]{1,255}$"
    ),
}


_PATTERNS: Final = {"member_id": MEMBER_ID}
"""Path parameter → pattern; what has none may be any text."""


DOCUMENT: Final = web.AppKey[Callable[[], PageFile]]("document")
"""Makes the document when it is first asked for, and keeps it: 0.07 s of CPU that few processes need."""


@routes.get("/openapi.json", roles=PUBLIC, gives={"application/json": {"type": "object"}})
async def openapi_json(call: Call) -> web.Response:
    """This reference as OpenAPI."""  # noqa: D404 - the reference shows it so
    return call.service(DOCUMENT)().answer(call)


def describe(resources: Sequence[Routes], public_url: str | None = None) -> Json:
    """The OpenAPI 3.1 document as JSON data; raises ``ValueError`` when two routes share an operation id."""
    table = [route for resource in resources for route in resource.table() if not route.hidden]
    _check_operation_ids(table)
    schemas = Schemas(table)
    paths: Json = {}
    for route in table:
        paths.setdefault(route.path, {})[route.method.lower()] = _operation(route, schemas)
    return without_rule_numbers(
        {
            "openapi": "3.1.0",
            "info": {
                "title": "CPD bridge",
                "version": version("cpd-bridge"),
                "summary": "The CPD plan, log and audit of a member, for portals, staff and operations.",
            },
            "servers": [{"url": (public_url or "/")}],
            "tags": _tags(resources),
            "paths": paths,
            "components": {
                "schemas": schemas.components,
                "responses": {kind.slug: _problem_response([kind]) for kind in _kinds()},
                "headers": _HEADERS,
                "parameters": _PARAMETERS,
                "securitySchemes": {
                    "bearer": {
                        "type": "http",
                        "scheme": "bearer",
                        "bearerFormat": "JWT",
                        "description": "`sub` and `roles`.",
                    }
                },
            },
        }
    )


def without_rule_numbers(part: Any) -> Any:
    """Return a part of the document without the numbers of our rules, such as (R31): they are for our own work."""
    if isinstance(part, Mapping):
        return {key: without_rule_numbers(value) for key, value in cast("Json", part).items()}
    if isinstance(part, list):
        return [without_rule_numbers(value) for value in cast("list[Any]", part)]
    return for_users(part) if isinstance(part, str) else part


def for_users(text: str) -> str:
    """Return a text without the numbers of our rules."""
    return _RULES.sub("", text)


def _kinds() -> list[type[BridgeError]]:
    """The kinds of problem that a call may be answered with, by slug; those that only commands meet are elsewhere."""
    answers = (kind for kind in problems.kinds() if "slug" in vars(kind) and kind.__module__ == BridgeError.__module__)
    return sorted(answers, key=lambda kind: kind.slug)


def _check_operation_ids(table: Iterable[Route]) -> None:
    names: set[str] = set()
    for route in table:
        name = _operation_id(route)
        if name in names:
            raise ValueError(f"two routes are called {name}; give one an operation_id ({route.method} {route.path})")
        names.add(name)


def _operation_id(route: Route) -> str:
    return route.operation_id or route.handler.__name__


def _tags(resources: Sequence[Routes]) -> list[Json]:
    descriptions: dict[str, str] = {}
    for resource in resources:
        descriptions[resource.tag] = descriptions.get(resource.tag) or resource.description
    return [{"name": tag, **({"description": text} if text else {})} for tag, text in descriptions.items()]


def _operation(route: Route, schemas: Schemas) -> Json:
    operation: Json = {
        "operationId": _operation_id(route),
        "tags": [route.tag],
        "summary": route.summary,
        "security": [{"bearer": [role]} for role in sorted(route.roles or ())],
        "parameters": _parameters(route, schemas),
        "responses": {**_successes(route, schemas), **_failures(route)},
    }
    if route.description:
        operation["description"] = route.description
    content = _body_content(route, schemas)
    if content:
        operation["requestBody"] = {"required": True, "content": content}
    return operation


def _parameters(route: Route, schemas: Schemas) -> list[Json]:
    applies = {
        "correlation": True,
        "language": route.worded,
        "if_match": route.if_match,
        "if_none_match": route.etag and route.method == "GET",
        "idempotent": route.idempotent,
    }
    return [
        *(_path_parameter(name) for name in route.path_parameters),
        *(schemas.parameters(route.query) if route.query else ()),
        *({"$ref": f"#/components/parameters/{key}"} for key, does in applies.items() if does),
        *(dict(parameter) for parameter in route.parameters),
    ]


def _path_parameter(name: str) -> Json:
    schema = {"type": "string", "minLength": 1, "maxLength": MAX_PARAMETER, "pattern": _PATTERNS.get(name, NO_NUL)}
    return {"name": name, "in": "path", "required": True, "schema": schema}


def _body_content(route: Route, schemas: Schemas) -> Json:
    if route.body is None:
        return {kind: {"schema": schema} for kind, schema in route.takes.items()}
    content: Json = {"schema": schemas.of(route.body, "validation")}
    if route.example is not None:
        content["example"] = route.example
    return dict.fromkeys(media_types(route.method), content)


def _successes(route: Route, schemas: Schemas) -> Json:
    content: Json = {kind: {"schema": schema} for kind, schema in route.gives.items()}
    if route.answer is not None:
        content = {"application/json": {"schema": schemas.of(route.answer, "serialization")}, **content}
    responses: Json = {}
    for status in route.statuses:
        applies = {"ETag": route.etag, "Content-Language": route.worded, "Location": status == 201}
        headers = ["X-Correlation-Id", *(name for name, does in applies.items() if does)]
        responses[str(status)] = {"description": HTTPStatus(status).phrase, "headers": _header_refs(headers)}
        if content and status != HTTPStatus.NO_CONTENT:
            responses[str(status)]["content"] = content
    if route.etag and route.method == "GET":
        responses["304"] = {"description": "Not Modified", "headers": _header_refs(["X-Correlation-Id", "ETag"])}
    return responses


def _header_refs(names: Iterable[str]) -> Json:
    return {name: {"$ref": f"#/components/headers/{name}"} for name in names}


def _failures(route: Route) -> Json:
    by_status: dict[int, list[type[BridgeError]]] = {}
    for kind in dict.fromkeys([*_implied(route), *route.problems]):
        by_status.setdefault(kind.status, []).append(kind)
    return {
        str(status): {"$ref": f"#/components/responses/{kinds[0].slug}"}
        if len(kinds) == 1
        else _problem_response(kinds)
        for status, kinds in sorted(by_status.items())
        if status not in route.statuses
    }


def _implied(route: Route) -> list[type[BridgeError]]:
    """The problems that follow from what a route declares."""
    rules: list[tuple[bool, tuple[type[BridgeError], ...]]] = [
        (True, (Malformed, ValidationFailed, Unavailable)),
        (route.roles is not PUBLIC, (Unauthenticated, Forbidden, RateLimited)),
        (bool(route.path_parameters), (NotFound,)),
        (route.idempotent, (Conflict,)),
        (route.body is not None or bool(route.takes), (TooLarge, UnsupportedMediaType)),
        (route.if_match, (PreconditionRequired, StaleVersion)),
    ]
    return [kind for applies, kinds in rules if applies for kind in kinds]


def _problem_response(kinds: Sequence[type[BridgeError]]) -> Json:
    extra = {Unauthenticated: "WWW-Authenticate", RateLimited: "Retry-After", Unavailable: "Retry-After"}
    headers = ["X-Correlation-Id", *(extra[kind] for kind in kinds if kind in extra)]
    return {
        "description": "; ".join(kind.title for kind in kinds),
        "headers": _header_refs(headers),
        "content": {
            problems.CONTENT_TYPE: {
                "schema": {"$ref": f"{REF}Problem"},
                "examples": {kind.slug: {"value": _example(kind)} for kind in kinds},
            }
        },
    }


def _example(kind: type[BridgeError]) -> Json:
    problem = problems.Problem(
        type=problems.uri(kind),
        title=kind.title,
        status=kind.status,
        detail=kind.title,
        instance="/v1/me",
        correlation_id="3f2b8c1e9a7d4e65b0c1d2e3f4a5b6c7",
    )
    return problem.model_dump(mode="json")
