"""Declarations of a member on submitting for the Register Audit, as data: ids with their text by language."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

DECLARATIONS: Mapping[str, Mapping[str, str]] = {
    declaration["id"]: declaration["text"]
    for declaration in json.loads((Path(__file__).parent / "declarations.json").read_text(encoding="utf-8"))
}
"""Declaration id → language tag → text, in the order in which they are shown."""
