"""``cpd-bridge api``: the HTTP API."""

from __future__ import annotations

from bridge import tracing
from bridge.commands.common import configured
from bridge.runtime import run
from bridge.serve import serve


def api() -> None:
    """Serve the HTTP API until SIGTERM or Ctrl-C.

    Example: BRIDGE_HTTP_PORT=8080 cpd-bridge api
    """
    settings = configured()
    tracing.start("cpd-bridge-api")
    run(serve(settings))
