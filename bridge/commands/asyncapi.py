"""``cpd-bridge asyncapi``: the messages as a document, made without any service."""

from __future__ import annotations

import sys

from bridge.api.asyncapi import document
from bridge.broker.topology import configured_topology
from bridge.settings import load


def asyncapi() -> None:
    """Print the AsyncAPI 3.0 document of every message over RabbitMQ, with the names that the settings give.

    Example: cpd-bridge asyncapi > asyncapi.json
    """
    sys.stdout.buffer.write(document(configured_topology(load())))
