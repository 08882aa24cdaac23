"""Sort keys, which documents have beside a value to be listed by it."""

from __future__ import annotations

import unicodedata
from typing import TypedDict


class SortKey(TypedDict):
    """The key that a list is sorted by: ``empty``, so that empty values come last in both directions, then ``key``."""

    empty: bool
    key: str  # without case and accents, 200 characters at most


def order_key(value: object) -> SortKey:
    """Return the sort key of a value; case and accents do not count, as in a printed index."""
    text = "" if value is None else str(value)
    key = (text if text.isascii() else _without_accents(text)).casefold().strip()[:200]
    return {"empty": not key, "key": key}


def _without_accents(text: str) -> str:
    return "".join(c for c in unicodedata.normalize("NFKD", text) if not unicodedata.combining(c))
