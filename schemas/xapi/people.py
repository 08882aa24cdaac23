"""Places where a statement can name a person: each of an Agent or a Group, read off the schema itself.

What finds, shows, hides or erases people goes by this list, so that a place that the schema gains is in all of them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final, cast

from schemas.xapi import read

Schema = Mapping[str, Any]
Place = tuple[str, ...]

EACH: Final = "*"
"""Stands in a place for each element of an array."""

IDENTIFIERS: Final = ("mbox", "mbox_sha1sum", "openid", "account")
"""The inverse functional identifiers, which only an Agent or a Group has (xAPI-Data §2.4.2.3)."""

_DEFINITIONS: Final[Schema] = read("definitions.json")["$defs"]
_SAME_PLACE: Final = ("then", "else", "allOf", "anyOf", "oneOf")


def _places(schema: Schema, at: Place = ()) -> Iterator[Place]:
    """Yield the places of people in what a schema describes; a statement is not recursive, so that this ends."""
    if set(IDENTIFIERS) <= schema.get("properties", {}).keys() and "additionalProperties" in schema:
        yield at
    if "$ref" in schema:
        yield from _places(_DEFINITIONS[schema["$ref"].rpartition("/")[2]], at)
    for name, part in schema.get("properties", {}).items():
        yield from _places(part, (*at, name))
    if "items" in schema:
        yield from _places(schema["items"], (*at, EACH))
    for keyword in _SAME_PLACE:
        if keyword in schema:
            parts: Any = schema[keyword]
            for part in cast("list[Schema]", parts if isinstance(parts, list) else [parts]):
                yield from _places(part, at)


PLACES: Final[tuple[Place, ...]] = tuple(dict.fromkeys(_places(_DEFINITIONS["statement"])))
"""Every place, as the names of properties from the statement inwards; those of both versions."""

PROPERTIES: Final = frozenset(next(name for name in reversed(place) if name != EACH) for place in PLACES)
"""The properties that a person, or several, may be the value of."""
