"""Schemas of what crosses a wire, as data."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, cast


def property_names(schema: Any) -> Iterator[str]:
    """Yield every property name that a JSON Schema knows, of whatever part."""
    if isinstance(schema, dict):
        parts = cast("dict[str, Any]", schema)
        yield from parts.get("properties", ())
        for part in parts.values():
            yield from property_names(part)
    elif isinstance(schema, list):
        for part in cast("list[Any]", schema):
            yield from property_names(part)
