"""Pages for people, as package data: HTML, CSS and ES modules of our own, served as they are (docs/decisions/0015)."""

from __future__ import annotations

import hashlib
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


class PageFile:
    """A file of a page, or a document, with its media type and entity tag."""

    def __init__(self, content: bytes, media_type: str) -> None:
        self.content = content
        self.media_type = media_type
        self.tag = f'"{hashlib.sha256(content).hexdigest()[:16]}"'

    def answer(self, call: Call) -> web.Response:
        """Return the file, or 304 to who has it."""
        headers = {"Cache-Control": "no-cache", "ETag": self.tag}
        headers |= {} if self.media_type == "application/json" else {"Content-Security-Policy": POLICY}
        if not_modified(call.request.headers.get("If-None-Match"), self.tag):
            return web.Response(status=HTTPStatus.NOT_MODIFIED, headers=headers)
        return web.Response(body=self.content, content_type=self.media_type, charset="utf-8", headers=headers)


def files_of(directory: Path) -> dict[str, PageFile]:
    """Read the files of a page, by name."""
    paths = (path for path in directory.iterdir() if path.suffix in _TYPES)
    return {path.name: PageFile(path.read_bytes(), _TYPES[path.suffix]) for path in paths}


OPS: Final = files_of(Path(__file__).parent / "ops")


@routes.get(
    "/ops/",
    roles=PUBLIC,
    gives={"text/html": {"type": "string"}},
    etag=True,
    description="It holds no data: it asks for a token with the role `ops`, and fetches what it shows from `/v1/ops/`.",
)
async def ops_page(call: Call) -> web.Response:
    """The operations page."""
    return OPS["index.html"].answer(call)


@routes.get("/ops", roles=PUBLIC, gives={"text/html": {}}, hidden=True)
async def ops_short(_call: Call) -> web.Response:
    """The operations page, by a short name."""
    # Relative, so that it holds behind a proxy's prefix.
    return web.Response(status=HTTPStatus.PERMANENT_REDIRECT, headers={"Location": "ops/"})


@routes.get("/ops/{file}", roles=PUBLIC, gives={"*/*": {}}, hidden=True)
async def ops_file(call: Call) -> web.Response:
    """A file of the operations page."""
    file = OPS.get(call.path["file"])
    if file is None:
        raise NotFound("The operations page has no such file.")
    return file.answer(call)
