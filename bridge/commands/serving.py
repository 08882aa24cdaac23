"""``cpd-bridge api`` and ``openapi``: the HTTP API, and its description."""

from __future__ import annotations

import sys

from bridge import tracing, wiring
from bridge.commands.common import configured
from bridge.runtime import run
from bridge.serve import reference, serve
from bridge.settings import load


def api() -> None:
    """Serve the HTTP API until SIGTERM or Ctrl-C.

    Example: BRIDGE_HTTP_PORT=8080 cpd-bridge api
    """
    settings = configured()
    tracing.start("cpd-bridge-api")
    run(serve(settings))


def openapi() -> None:
    """Print the OpenAPI 3.1 document of the API, with the forms and the public address that the settings name.

    Example: cpd-bridge openapi > docs/openapi.json
    """
    settings = load()
    sys.stdout.buffer.write(reference(wiring.forms(settings), settings.public_url))
