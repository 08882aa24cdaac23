"""Message schemas beside those of statements: the member feed in (``member.json``) and our events out (``event.json``).

``member.json`` is made from the models that read the feed (``bridge.domain.members.messages``); a test compares them.
"""

from __future__ import annotations

import json
from importlib.resources import files
from typing import Any


def _read(name: str) -> dict[str, Any]:
    return json.loads(files("schemas.messages").joinpath(name).read_bytes())


EVENT = _read("event.json")
"""JSON Schema of a CloudEvent on ``cpd.events``."""

MEMBER = _read("member.json")
"""JSON Schema of the bodies on ``membership``, by routing key under ``$defs``."""

EXAMPLES = _read("examples.json")
"""Routing key → a body that the service takes; a test sends each."""
