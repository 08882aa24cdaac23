"""``cpd-bridge openapi``: the HTTP API as a document, made without any service."""

from __future__ import annotations

import sys
from importlib.resources import files

from bridge.settings import Settings, load


def openapi() -> None:
    """Print the OpenAPI 3.1 document of the API, with the forms and the public address that the settings name.

    Example: cpd-bridge openapi > openapi.json
    """
    settings = load()
    standard = settings.forms_dir is None and settings.public_url is None
    sys.stdout.buffer.write(_shipped() if standard else _made(settings))


def _shipped() -> bytes:
    """Return the document that comes with the package: ``make documents`` writes it, a test compares it."""
    return files("bridge.api").joinpath("openapi.json").read_bytes()


def _made(settings: Settings) -> bytes:
    """Return the document as the settings have it."""
    from bridge.api.resources import reference  # noqa: PLC0415 - the whole API takes a second to load
    from bridge.domain.forms import configured_forms  # noqa: PLC0415 - and the forms

    return reference(configured_forms(settings.forms_dir), settings.public_url)
