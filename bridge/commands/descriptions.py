"""``cpd-bridge openapi``: the description of the HTTP API, made without a store or a broker."""

from __future__ import annotations

import sys

from bridge.api.resources import reference
from bridge.domain.record.forms import configured_forms
from bridge.settings import load


def openapi() -> None:
    """Print the OpenAPI 3.1 document of the API, with the forms and the public address that the settings name.

    Example: cpd-bridge openapi > docs/openapi.json
    """
    settings = load()
    sys.stdout.buffer.write(reference(configured_forms(settings.forms_dir), settings.public_url))
