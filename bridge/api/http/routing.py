"""Declarative routes: a handler is a few lines, and its route says who may call, what goes in and what comes out.

    routes = Routes("Log", "Activities done.")

    @routes.get("/v1/log", roles={"member"}, query=LogQuery, answer=Page[LogRow])
    async def list_log(call: Call, query: LogQuery) -> Page[LogRow]:
        # docstring: List the log (R20).

The first line of the docstring is the operation's summary, without rules and full stop.

The same table serves the requests (``serve``) and makes the OpenAPI document (``openapi``).
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Awaitable, Callable, Mapping, Sequence, Set
from dataclasses import dataclass, field, replace
from functools import cached_property, partial
from http import HTTPStatus
from typing import Any, TypedDict, TypeVar, Unpack, get_args, get_type_hints

import orjson
from aiohttp import web
from pydantic import BaseModel, TypeAdapter

from bridge.api.http.auth import GATE, Roles
from bridge.api.http.context import ROLES, SETTINGS, Call, Role, etag, not_modified
from bridge.api.http.inputs import InputModel, read_body, read_query
from bridge.api.http.languages import language_headers, language_of
from bridge.deadlines import TOO_SLOW, deadline
from bridge.errors import NOTHING_HERE, BridgeError, NotFound

Handler = Callable[..., Awaitable[Any]]
H = TypeVar("H", bound=Handler)
Schema = Mapping[str, Any]
Body = Mapping[str, Any]
"""What a handler answers, before the type that its route declares has shaped it: nothing else of it leaves."""

_PARAMETER = re.compile(r"{(\w+)}")


@dataclass(frozen=True, slots=True)
class Answer:
    """A handler's answer when the body alone does not say it all.

    ``version`` becomes the ``ETag``, ``location`` the ``Location``; ``status`` is the route's first one unless given.
    ``has_words`` says that there are texts to put into the reader's language, where a route may have such.
    """

    body: Any = None
    status: int | None = None
    version: int | None = None
    location: str | None = None
    headers: Mapping[str, str] = field(default_factory=dict[str, str])
    has_words: bool = True

    def all_headers(self) -> dict[str, str]:
        """The headers, with ``ETag`` and ``Location``."""
        own_headers = {"ETag": None if self.version is None else etag(self.version), "Location": self.location}
        return {**{name: value for name, value in own_headers.items() if value is not None}, **self.headers}


class Options(TypedDict, total=False):
    """The options of a route besides its path and roles; ``Route`` explains each."""

    description: str
    query: type[BaseModel] | None
    body: type[BaseModel] | None
    answer: Any
    status: int | Sequence[int]
    etag: bool
    if_match: bool
    idempotent: bool
    problems: Sequence[type[BridgeError]]
    example: Any
    takes: Mapping[str, Schema]
    gives: Mapping[str, Schema]
    parameters: Sequence[Schema]
    timed: bool
    worded: bool
    hidden: bool
    operation_id: str


@dataclass(frozen=True)
class Route:
    """One row of the route table."""

    method: str
    path: str
    handler: Handler
    roles: Roles  # any one of these lets the caller in; ``PUBLIC`` needs no token
    tag: str
    summary: str
    description: str = ""
    query: type[BaseModel] | None = None  # given to the handler as ``query``
    body: type[BaseModel] | None = None  # read as JSON and given to the handler as ``body``
    answer: Any = None  # the type of the JSON answer; none at all is 204
    status: int | Sequence[int] = ()  # the statuses of success, the usual one first
    etag: bool = False  # answers with an ETag; a GET then takes If-None-Match
    if_match: bool = False  # needs If-Match
    idempotent: bool = False  # takes Idempotency-Key, and answers 409 to one of another body
    problems: Sequence[type[BridgeError]] = ()  # beside those that follow from the rest
    example: Any = None  # of the body, as JSON
    takes: Mapping[str, Schema] = field(default_factory=dict[str, Schema])  # media types of a body the handler reads
    gives: Mapping[str, Schema] = field(default_factory=dict[str, Schema])  # media types of an answer the handler makes
    parameters: Sequence[Schema] = ()  # further OpenAPI parameters, such as headers
    timed: bool = True  # ends after ``request_timeout``; a stream does not
    worded: bool = False  # answers with ``Words``, in the reader's language
    hidden: bool = False  # not in the OpenAPI document
    operation_id: str = ""  # the handler's name unless given

    @property
    def statuses(self) -> tuple[int, ...]:
        """The statuses of success, the usual one first."""
        statuses = (self.status,) if isinstance(self.status, int) else tuple(self.status)
        return statuses or (200 if self.answer is not None or self.gives else 204,)

    @property
    def path_parameters(self) -> list[str]:
        """The names in braces."""
        return _PARAMETER.findall(self.path)

    @cached_property
    def adapter(self) -> TypeAdapter[Any]:
        """Shapes and writes the answer."""
        return TypeAdapter(self.answer)

    @cached_property
    def shown(self) -> frozenset[str]:
        """The fields of the answer, whatever it is wrapped in: those a body lacks are read-only."""
        models = [part for part in (self.answer, *get_args(self.answer)) if hasattr(part, "model_fields")]
        return frozenset(name for model in models for name in model.model_fields)


class Routes:
    """The routes of one resource, under one tag of the OpenAPI document."""

    def __init__(self, tag: str, description: str = "") -> None:
        self.tag = tag
        self.description = description
        self._table: list[Route] = []
        self.get, self.post = partial(self.declare, "GET"), partial(self.declare, "POST")
        self.put, self.patch = partial(self.declare, "PUT"), partial(self.declare, "PATCH")
        self.delete = partial(self.declare, "DELETE")

    def table(self) -> tuple[Route, ...]:
        """The routes, in the order they were declared."""
        return tuple(self._table)

    def add(self, route: Route) -> None:
        """Add a route that was made from another; raises ``TypeError`` as a declaration does."""
        _check(route)
        self._table.append(route)

    def with_models(self, models: Mapping[type[BaseModel], type[BaseModel]]) -> Routes:
        """These routes with bodies and answers replaced, each by a subclass made of it at start."""
        bound = Routes(self.tag, self.description)
        for route in self._table:
            body = models.get(route.body, route.body) if route.body is not None else None
            bound._table.append(replace(route, body=body, answer=models.get(route.answer, route.answer)))
        return bound

    def declare(
        self, method: str, path: str, *, roles: Set[Role] | None, **options: Unpack[Options]
    ) -> Callable[[H], H]:
        """Declare a handler; that of GET is HEAD's too, and that of PATCH takes a merge patch (RFC 7396)."""

        def register(handler: H) -> H:
            role_set = None if roles is None else frozenset(roles)
            summary = (handler.__doc__ or "").partition("\n")[0].removesuffix(".")
            route = Route(method, path, handler, role_set, self.tag, summary, **options)
            _check(route)
            self._table.append(route)
            return handler

        return register


def _check(route: Route) -> None:
    """Raise ``TypeError`` when the declaration and the handler do not fit, so that it shows at import."""
    where = f"{route.method} {route.path}"
    if route.roles is not None and not (route.roles and route.roles <= ROLES):
        raise TypeError(f"{where}: roles must be of {sorted(ROLES)}, or PUBLIC")
    models = {name: model for name, model in (("query", route.query), ("body", route.body)) if model is not None}
    if list(inspect.signature(route.handler).parameters)[1:] != list(models):
        raise TypeError(f"{where}: the handler must take (call{''.join(f', {name}' for name in models)})")
    hints = get_type_hints(route.handler)
    wrong = [name for name, model in models.items() if hints.get(name) is not model]
    if wrong:
        raise TypeError(f"{where}: the handler's annotation of {wrong} is not the declared model")
    open_models = [model.__name__ for model in models.values() if model.model_config.get("extra") != "forbid"]
    if open_models:
        raise TypeError(f"{where}: {open_models} must forbid unknown fields (extra='forbid')")
    if route.body is not None and route.example is not None:
        route.body.model_validate_json(orjson.dumps(route.example), strict=True)


MAX_PARAMETER = 200
"""Characters of a path parameter; nothing has a longer id."""


def serve(route: Route) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
    """The aiohttp handler of ``route``."""

    async def handle(request: web.Request) -> web.StreamResponse:
        limit = request.app[SETTINGS].request_timeout if route.timed else None
        async with deadline(limit, TOO_SLOW):
            return await _serve(route, request)

    return handle


async def _serve(route: Route, request: web.Request) -> web.StreamResponse:
    caller = await request.app[GATE].admit(request, route.roles)
    call = Call(request, caller, _path(request))
    arguments = await _read_arguments(route, request)
    if route.idempotent:
        call.idempotency_key()
    if route.if_match:
        call.if_match()  # last: a precondition counts only for a request that is good without it (RFC 9110 §13.2.1)
    result = await route.handler(call, **arguments)
    is_worded = route.worded and (not isinstance(result, Answer) or result.has_words)
    return _respond(route, request, result, await language_of(request) if is_worded else None)


async def _read_arguments(route: Route, request: web.Request) -> dict[str, Any]:
    query = read_query(request, route.query or InputModel)
    arguments: dict[str, Any] = {"query": query} if route.query is not None else {}
    if route.body is not None:
        arguments["body"] = await read_body(request, route.body, route.shown)
    return arguments


def _path(request: web.Request) -> dict[str, str]:
    if any(len(value) > MAX_PARAMETER for value in request.match_info.values()):
        raise NotFound(NOTHING_HERE)
    return dict(request.match_info)


def _respond(route: Route, request: web.Request, result: Any, language: str | None) -> web.StreamResponse:
    if isinstance(result, web.StreamResponse):
        return result
    answer = result if isinstance(result, Answer) else Answer(result)
    headers, status = answer.all_headers(), answer.status or route.statuses[0]
    headers |= language_headers(language) if language else {}
    reads = request.method in {"GET", "HEAD"} and status == HTTPStatus.OK
    if reads and "ETag" in headers and not_modified(request.headers.get("If-None-Match"), headers["ETag"]):
        validators = {name: headers[name] for name in ("ETag", "Content-Language", "Vary") if name in headers}
        return web.Response(status=HTTPStatus.NOT_MODIFIED, headers=validators)
    if route.answer is None:
        return web.Response(status=status, headers=headers)
    # Shaped by the declared type first: what is not in the document does not leave.
    context = {"language": language} if language else None
    typed_body = route.adapter.validate_python(answer.body, from_attributes=True, context=context)
    body = route.adapter.dump_json(typed_body, by_alias=True, warnings="error")
    return web.Response(status=status, body=body, content_type="application/json", charset="utf-8", headers=headers)
