"""Nesting depth of JSON, judged by a bound of our own: where a Python's reader gives up differs by its version."""

from __future__ import annotations

import base64
from typing import Any, Final, cast

import orjson

DEEPEST: Final = 252
"""Objects and arrays within each other: ``orjson`` writes two more, for the arrays of an answer, and reads 1,024."""


def is_deep(value: object, levels: int = DEEPEST) -> bool:
    """Say whether decoded JSON has more than ``levels`` objects and arrays within each other."""
    level = _containers([value])
    for _ in range(levels):
        if not level:
            return False
        level = [inner for container in level for inner in _containers(container)]
    return bool(level)


def _containers(value: Any) -> list[Any]:
    children = cast("dict[str, Any]", value).values() if isinstance(value, dict) else cast("list[Any]", value)
    return [child for child in children if isinstance(child, dict | list)]


def check_encoded(part: bytes) -> None:
    """Raise ``ValueError`` unless a part of a JWS (RFC 7515 §7.1) is JSON in base64url, nested at most ``DEEPEST``."""
    value: object = orjson.loads(base64.urlsafe_b64decode(part + b"=" * (-len(part) % 4)))
    if is_deep(value):
        raise ValueError(f"JSON that is nested at most {DEEPEST} levels deep was expected")
