"""Declarations of a member on submitting for the Register Audit, as data: English text, or the same by language tag."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

DECLARATIONS: Mapping[str, str | Mapping[str, str]] = {
    declaration["id"]: declaration["text"]
    for declaration in json.loads((Path(__file__).parent / "declarations.json").read_text(encoding="utf-8"))
}
"""Declaration id → text, in the order in which they are shown."""
