"""The API as an application: middleware, the service's own pages, and the resources that it is given."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache, partial
from typing import Any

import orjson
from aiohttp import web

from bridge.api import asyncapi, pages
from bridge.api.http import auth, docs, health, middleware, openapi
from bridge.api.http.context import SETTINGS
from bridge.api.http.routing import Routes, serve
from bridge.api.http.schemas import Json
from bridge.api.pages import PageFile
from bridge.broker.topology import configured_topology
from bridge.settings import Settings


@dataclass(frozen=True, slots=True)
class Parts:
    """The parts that the wiring gives: resources, the services they ask for by key, and a ping for each dependency."""

    resources: Sequence[Routes] = ()
    services: Mapping[web.AppKey[Any], object] = field(default_factory=dict[web.AppKey[Any], object])
    pings: Mapping[str, health.Ping] = field(default_factory=dict[str, health.Ping])
    mounts: Mapping[str, web.Application] = field(default_factory=dict[str, web.Application])
    """Applications with error bodies of their own, by the path they are served under."""


def everything(parts: Parts) -> list[Routes]:
    """The resources with the service's own pages, in the order of the reference."""
    pages_of_service = (health.health_routes(parts.pings), openapi.routes, asyncapi.routes, docs.routes, pages.routes)
    return [*parts.resources, *pages_of_service]


def pattern(path: str, paths: Iterable[str]) -> str:
    """``path`` for aiohttp's router: a parameter never stands for a word that another path has in its place.

    OpenAPI 3.1 matches concrete paths before templated ones; without this, ``Allow`` would name the methods of both.
    """
    parts = path.split("/")
    same_length = [split for split in (template.split("/") for template in paths) if len(split) == len(parts)]
    for at, part in enumerate(parts):
        same_shape = [
            split[at] for split in same_length if split[:at] == parts[:at] and split[at + 1 :] == parts[at + 1 :]
        ]
        words = sorted(re.escape(word) for word in same_shape if "{" not in word)
        if part.startswith("{") and words:
            return "/".join([*parts[:at], f"{{{part[1:-1]}:(?!(?:{'|'.join(words)})$)[^{{}}/]+}}", *parts[at + 1 :]])
    return path


def create_app(settings: Settings, parts: Parts) -> web.Application:
    """The application; raises ``SettingsError`` when tokens could not be checked.

    Run it with ``connections.Runner``: what aiohttp answers by itself would say too much.
    """
    app = web.Application(
        middlewares=[
            middleware.trace,
            middleware.answer_problems,
            middleware.refuse_malformed,
            middleware.preflight,
            middleware.note_denials,
        ],
        client_max_size=settings.max_body_bytes,
    )
    resources = everything(parts)
    app[SETTINGS] = settings
    app[middleware.DRESS] = middleware.Dress(settings.public_url, settings.cors_origins)
    app[auth.GATE] = auth.gate(settings, auth.configured_keys(settings))
    app[openapi.DOCUMENT] = cache(lambda: _document(openapi.describe(resources, settings.public_url)))
    app[asyncapi.MESSAGES] = cache(lambda: _document(asyncapi.describe(configured_topology(settings))))
    app[docs.PAGE] = cache(lambda: docs.docs_page_of(app[openapi.DOCUMENT](), app[asyncapi.MESSAGES]()))
    for key, service in parts.services.items():
        app[key] = service
    table = [route for resource in resources for route in resource.table()]
    paths = {route.path for route in table}
    for route in table:
        add = app.router.add_get if route.method == "GET" else partial(app.router.add_route, route.method)
        add(pattern(route.path, paths), serve(route))  # add_get takes HEAD too
    for prefix, application in parts.mounts.items():
        app.add_subapp(prefix, application)
    app.on_response_prepare.append(app[middleware.DRESS].on_prepare)
    return app


def _document(data: Json) -> PageFile:
    return PageFile(orjson.dumps(data), "application/json")
