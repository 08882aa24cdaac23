"""The schemas of the AsyncAPI document: ours, as one flat list in the dialect that its tools read (draft 7)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, cast, get_args, get_type_hints

from bridge.domain.events import EventType
from schemas.messages import EVENT, MEMBER
from schemas.xapi import read

Json = dict[str, Any]

SCHEMA_REF: Final = "#/components/schemas/"
VERSIONS: Final = ("1.0.3", "2.0")

_XAPI: Final = "urn:cpd-bridge:xapi:definitions"
_BY_NAME: Final = frozenset({"properties", "dependentSchemas"})
"""Keywords whose values are schemas by name."""

_DATA: Final = frozenset({"const", "default", "enum", "required", "dependentRequired"})
"""Keywords whose values are no schemas."""

_TYPES: Final = {str: "string", int: "integer", type(None): "null"}
_DEPENDENT: Final = ("dependentRequired", "dependentSchemas")
_ANNOTATIONS: Final = frozenset({"$ref", "title", "description", "$comment"})


def schemas() -> Json:
    """Return every schema by its name: statements and their parts, members, and what all events have in common."""
    statements = {version: read(f"statement-{version}.json") for version in VERSIONS}
    versions = {f"Statement-{version}": _plain(schema, f"xapi-{version}-") for version, schema in statements.items()}
    parts = {f"xapi-{version}-": schema.get("$defs", {}) for version, schema in statements.items()}
    parts |= {"xapi-": read("definitions.json")["$defs"], "": MEMBER["$defs"], "event-": EVENT["$defs"]}
    title = {"title": "an xAPI statement of version 1.0.3 or 2.0"}
    return {
        "Statement": {**title, "anyOf": [{"$ref": f"{SCHEMA_REF}{name}"} for name in versions]},
        **versions,
        "Event": _plain(EVENT, "event-"),
        **{f"{prefix}{name}": _plain(part, prefix) for prefix, group in parts.items() for name, part in group.items()},
    }


def event_schema(kind: EventType[Any]) -> Json:
    """Return the schema of one type of event: a CloudEvent with its name and its data."""
    facts = {name: {"type": _type_names(hint)} for name, hint in get_type_hints(kind.data).items()}
    data: Json = {"type": "object", "required": list(facts), "properties": facts}
    return {"allOf": [{"$ref": f"{SCHEMA_REF}Event"}], "properties": {"type": {"const": kind.name}, "data": data}}


def _type_names(hint: Any) -> str | list[str]:
    """Return what JSON Schema calls the type of a fact, or its types."""
    names = [_TYPES[part] for part in get_args(hint) or (hint,)]
    return names if len(names) > 1 else names[0]


def _plain(schema: Any, prefix: str) -> Any:
    """Return a schema in the older dialect; ``prefix`` begins the names of what it calls ``#/$defs/…``."""
    if isinstance(schema, list):
        return [_plain(part, prefix) for part in cast("list[Any]", schema)]
    if not isinstance(schema, dict):
        return schema
    parts = cast("Json", schema)
    plain = {key: _value(key, part, prefix) for key, part in parts.items() if key not in {"$schema", "$id", "$defs"}}
    dependencies = {name: part for key in _DEPENDENT for name, part in plain.pop(key, {}).items()}
    return _with_lone_reference({**plain, **({"dependencies": dependencies} if dependencies else {})})


def _value(key: str, part: Any, prefix: str) -> Any:
    if key == "$ref":
        return f"{SCHEMA_REF}{'xapi-' if part.startswith(_XAPI) else prefix}{part.rpartition('/')[2]}"
    if key in _BY_NAME:
        return {name: _plain(schema, prefix) for name, schema in cast("Mapping[str, Any]", part).items()}
    return part if key in _DATA else _plain(part, prefix)


def _with_lone_reference(schema: Json) -> Json:
    """Draft 7 reads nothing beside ``$ref``, so a reference with conditions beside it becomes one of them."""
    if "$ref" not in schema or schema.keys() <= _ANNOTATIONS:
        return schema
    rest = {key: part for key, part in schema.items() if key not in {"$ref", "allOf"}}
    return {**rest, "allOf": [{"$ref": schema["$ref"]}, *schema.get("allOf", ())]}
