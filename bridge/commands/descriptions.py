"""``cpd-bridge openapi`` and ``asyncapi``: the HTTP API and the messages as documents, made without any service."""

from __future__ import annotations

import sys

from bridge.api import asyncapi as messages
from bridge.api.resources import reference
from bridge.broker.topology import configured_topology
from bridge.domain.record.forms import configured_forms
from bridge.settings import load


def openapi() -> None:
    """Print the OpenAPI 3.1 document of the API, with the forms and the public address that the settings name.

    Example: cpd-bridge openapi > docs/openapi.json
    """
    settings = load()
    sys.stdout.buffer.write(reference(configured_forms(settings.forms_dir), settings.public_url))


def asyncapi() -> None:
    """Print the AsyncAPI 3.0 document of every message over RabbitMQ, with the names that the settings give.

    Example: cpd-bridge asyncapi > docs/asyncapi.json
    """
    sys.stdout.buffer.write(messages.document(configured_topology(load())))
