"""Says by its exit code whether the process in this container can work: ``python -m deploy.healthcheck``.

Asks ``/health/ready`` at the worker's port where ``BRIDGE_METRICS_PORT`` is set, else at the API's. The standard
library alone, so that it costs a tenth of a second where the whole command line takes two.
"""

from __future__ import annotations

import http.client
import os
import sys
from collections.abc import Mapping

TIMEOUT = 3.0
"""Seconds; a dependency that does not answer takes two of them."""


def ready(environment: Mapping[str, str]) -> bool:
    """Say whether the process on this host, configured by ``environment``, answers that it is ready."""
    port = environment.get("BRIDGE_METRICS_PORT") or environment.get("BRIDGE_HTTP_PORT") or "8080"
    connection = http.client.HTTPConnection("127.0.0.1", int(port), timeout=TIMEOUT)
    try:
        connection.request("GET", "/health/ready")
        return connection.getresponse().status == http.client.OK
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


if __name__ == "__main__":
    sys.exit(0 if ready(os.environ) else 1)
