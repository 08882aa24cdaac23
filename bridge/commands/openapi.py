"""``cpd-bridge openapi``: the HTTP API as a document, made without any service."""

from __future__ import annotations

import sys
from importlib.resources import files

from bridge.settings import load


def openapi() -> None:
    """Print the OpenAPI 3.1 document of the API, with the forms and the public address that the settings name.

    Example: cpd-bridge openapi > openapi.json
    """
    settings = load()
    if settings.forms_dir is None and settings.public_url is None:
        # The document that comes with the package: ``make documents`` writes it, a test compares it.
        sys.stdout.buffer.write(files("bridge.api").joinpath("openapi.json").read_bytes())
        return
    from bridge.api.resources import reference  # noqa: PLC0415 - the whole API takes a second to load
    from bridge.domain.forms import configured_forms  # noqa: PLC0415 - and the forms

    sys.stdout.buffer.write(reference(configured_forms(settings.forms_dir), settings.public_url))
