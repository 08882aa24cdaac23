"""Pages for people, as package data: HTML, CSS and ES modules of our own, served as they are (docs/decisions/0015)."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path
from typing import Final

from aiohttp import web

from bridge.api.http.auth import PUBLIC
from bridge.api.http.context import Call, not_modified
from bridge.api.http.routing import Routes
from bridge.errors import NotFound

routes = Routes("Service")

POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; base-uri 'none'; "
    "form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types 'none'"
)
"""Nothing inline, nothing from elsewhere, and no text that becomes HTML or a script (Trusted Types)."""

_TYPES: Final = {".html": "text/html", ".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml"}


@dataclass(frozen=True, slots=True)
class PageFile:
    """A file of a page, with its media type and entity tag."""

    content: bytes
    media_type: str
    tag: str

    def answer(self, call: Call) -> web.Response:
        """Return the file, or 304 to who has it."""
        headers = {"Content-Security-Policy": POLICY, "Cache-Control": "no-cache", "ETag": self.tag}
        if not_modified(call.request.headers.get("If-None-Match"), self.tag):
            return web.Response(status=HTTPStatus.NOT_MODIFIED, headers=headers)
        return web.Response(body=self.content, content_type=self.media_type, charset="utf-8", headers=headers)


def files_of(directory: Path) -> dict[str, PageFile]:
    """Read the files of a page, by name."""
    return {path.name: _read(path) for path in directory.iterdir() if path.suffix in _TYPES}


def _read(path: Path) -> PageFile:
    content = path.read_bytes()
    return PageFile(content, _TYPES[path.suffix], f'"{hashlib.sha256(content).hexdigest()[:16]}"')


OPS: Final = files_of(Path(__file__).parent / "ops")


@routes.get(
    "/ops/",
    roles=PUBLIC,
    gives={"text/html": {"type": "string"}},
    etag=True,
    summary="The operations page",
    description="It holds no data: it asks for a token with the role `ops`, and fetches what it shows from `/v1/ops/`.",
)
async def ops_page(call: Call) -> web.Response:
    """The page itself, which anybody may load."""
    return OPS["index.html"].answer(call)


@routes.get("/ops", roles=PUBLIC, gives={"text/html": {}}, hidden=True, summary="The operations page, by a short name")
async def ops_short(_call: Call) -> web.Response:
    """Where the page is; relative, so that it holds behind a proxy's prefix."""
    return web.Response(status=HTTPStatus.PERMANENT_REDIRECT, headers={"Location": "ops/"})


@routes.get("/ops/{file}", roles=PUBLIC, gives={"*/*": {}}, hidden=True, summary="A file of the operations page")
async def ops_file(call: Call) -> web.Response:
    """One of the page's files; any other name is not found."""
    file = OPS.get(call.path["file"])
    if file is None:
        raise NotFound("The operations page has no such file.")
    return file.answer(call)
