"""The documentation: the reference as a page, and a line about each problem type."""

from __future__ import annotations

from collections.abc import Callable
from html import escape
from pathlib import Path
from typing import Final

import orjson
from aiohttp import web

from bridge.api.http.auth import PUBLIC
from bridge.api.http.context import Call
from bridge.api.http.problems import kinds
from bridge.api.http.reference import page, prose, reference
from bridge.api.http.routing import Routes
from bridge.api.pages import PageFile, files_of
from bridge.errors import NotFound

routes = Routes("Service")

FILES: Final = files_of(Path(__file__).parents[1] / "pages" / "docs")
PAGE: Final = web.AppKey[Callable[[], PageFile]]("docs")


def docs_page_of(document: PageFile, messages: PageFile) -> PageFile:
    """Make the page of the documents that the service gives: of the HTTP API, and of the messages."""
    text = reference(orjson.loads(document.content), orjson.loads(messages.content))
    return PageFile(text.encode(), "text/html")


@routes.get("/docs", roles=PUBLIC, gives={"text/html": {"type": "string"}}, etag=True)
async def docs_page(call: Call) -> web.Response:
    """This reference as a page."""  # noqa: D404 - the reference shows it so
    return call.service(PAGE)().answer(call)


@routes.get("/docs/{file}", roles=PUBLIC, gives={"*/*": {}}, hidden=True)
async def docs_file(call: Call) -> web.Response:
    """A file of the page."""
    file = FILES.get(call.path["file"])
    if file is None:
        raise NotFound("The documentation page has no such file.")
    return file.answer(call)


@routes.get("/problems/{slug}", roles=PUBLIC, gives={"text/html": {"type": "string"}})
async def problem_page(call: Call) -> web.Response:
    """What a problem type means."""
    kind = next((kind for kind in kinds() if kind.slug == call.path["slug"]), None)
    if kind is None:
        raise NotFound("There is no such problem type.")
    text = f"<p>Status {kind.status}. {prose((kind.__doc__ or '').replace('``', '`'))}</p>"
    content = page(kind.title, f'<main id="main"><h1>{escape(kind.title)}</h1>{text}</main>', "../")
    return PageFile(content.encode(), "text/html").answer(call)
