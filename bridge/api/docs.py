"""The documentation page: Swagger UI from an installed package, with no call to anywhere else."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path
from typing import Final

from aiohttp import web

from bridge.api.auth import PUBLIC
from bridge.api.context import Call
from bridge.api.problems import kinds
from bridge.api.routing import Routes
from bridge.errors import NotFound

routes = Routes("Service")

_FILES: Final = {
    "swagger-ui.css": "text/css",
    "swagger-ui-bundle.js": "text/javascript",
    "favicon-32x32.png": "image/png",
}
_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
_PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>CPD bridge API</title>
<link rel="stylesheet" href="/docs/swagger-ui.css">
<link rel="icon" type="image/png" href="/docs/favicon-32x32.png">
<script src="/docs/swagger-ui-bundle.js" defer></script>
<script src="/docs/start.js" defer></script>
</head>
<body>
<nav aria-label="Formats"><a href="/openapi.json">The same as an OpenAPI 3.1 document</a></nav>
<main id="swagger-ui" aria-label="API reference">
<noscript>This page needs JavaScript; the OpenAPI document above holds all that it shows.</noscript>
</main>
</body>
</html>
"""
_START = """window.addEventListener("DOMContentLoaded", () => {
  SwaggerUIBundle({
    url: "/openapi.json",
    dom_id: "#swagger-ui",
    deepLinking: true,
    docExpansion: "list",
    validatorUrl: null,
    presets: [SwaggerUIBundle.presets.apis],
  });
});
"""


def _text(content: str, content_type: str) -> web.Response:
    headers = {"Content-Security-Policy": _POLICY, "Cache-Control": "no-cache"}
    return web.Response(text=content, content_type=content_type, charset="utf-8", headers=headers)


@routes.get("/docs", roles=PUBLIC, gives={"text/html": {"type": "string"}}, summary="This reference as a page")
async def docs_page(_call: Call) -> web.Response:
    """The page; everything it loads comes from this service."""
    return _text(_PAGE, "text/html")


@routes.get("/docs/start.js", roles=PUBLIC, gives={"text/javascript": {}}, hidden=True, summary="Starts the page")
async def docs_start(_call: Call) -> web.Response:
    """The script that starts Swagger UI, apart from the page so that no inline script is needed."""
    return _text(_START, "text/javascript")


@routes.get("/docs/{file}", roles=PUBLIC, gives={"*/*": {}}, hidden=True, summary="A file of the page")
async def docs_file(call: Call) -> web.StreamResponse:
    """One of the few files of Swagger UI that the page loads; any other name is not found."""
    name = call.path["file"]
    if name not in _FILES:
        raise NotFound("The documentation page has no such file.")
    headers = {"Content-Type": _FILES[name], "Cache-Control": "no-cache"}
    return web.FileResponse(Path(str(files("swagger_ui") / "static" / name)), headers=headers)


@routes.get(
    "/problems/{slug}", roles=PUBLIC, gives={"text/html": {"type": "string"}}, summary="What a problem type means"
)
async def problem_page(call: Call) -> web.Response:
    """A line about one problem type, so that its ``type`` leads somewhere (RFC 9457 §3.1.1)."""
    kind = next((kind for kind in kinds() if kind.slug == call.path["slug"]), None)
    if kind is None:
        raise NotFound("There is no such problem type.")
    page = f'<!doctype html><html lang="en"><title>{kind.title}</title><h1>{kind.title}</h1>'
    return _text(f"{page}<p>Status {kind.status}. {(kind.__doc__ or '').replace('``', '')}</p></html>\n", "text/html")
