"""Schemas of what crosses a wire, as data."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, cast

import jsonschema_rs


def violations(schema: dict[str, Any], document: Any) -> list[str]:
    """Return what is wrong with a document by a JSON Schema, each with its place; none when it fits."""
    if jsonschema_rs.is_valid(schema, document):
        return []
    from jsonschema import Draft202012Validator  # noqa: PLC0415 - it takes long to load, and says what is wrong best

    errors = Draft202012Validator(schema).iter_errors(document)  # pyright: ignore[reportUnknownMemberType] - its stub
    return [f"{error.json_path}: {error.message}" for error in errors]


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
