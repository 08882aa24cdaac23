"""Statements that name somebody in each place that the schema has, as the schema itself says."""

from __future__ import annotations

import json
from collections.abc import Iterator
from hashlib import sha1
from pathlib import Path
from typing import Any, cast

import schemas.xapi
from tests.support.statements import account, completed

Place = tuple[str, ...]

_FILE = Path(schemas.xapi.__file__).parent / "definitions.json"
_PARTS: dict[str, Any] = json.loads(_FILE.read_text())["$defs"]


_CONDITIONS = {"if", "not", "contains", "propertyNames", "dependentSchemas"}


def _walk(schema: Any, at: Place) -> Iterator[Place]:
    """Yield where a reference leads to an Agent or a Group; every keyword of the schema is looked into."""
    if isinstance(schema, dict):
        for keyword, part in cast("dict[str, Any]", schema).items():
            yield from _beyond(keyword, part, at)
    elif isinstance(schema, list):
        for part in cast("list[Any]", schema):
            yield from _walk(part, at)


def _beyond(keyword: str, part: Any, at: Place) -> Iterator[Place]:
    if keyword == "$ref":
        name = str(part).rsplit("/", 1)[1]
        yield from [at] if name in {"agent", "group"} else []
        yield from _walk(_PARTS[name], at)
    elif keyword == "properties":
        for name, inner in part.items():
            yield from _walk(inner, (*at, name))
    elif keyword not in _CONDITIONS:
        yield from _walk(part, (*at, "*") if keyword == "items" else at)


PLACES = sorted(set(_walk(_PARTS["statement"], ())))
"""Every place of a person; read here by other means than the service reads it by."""


def forms(word: str) -> dict[str, dict[str, Any]]:
    """An Agent by each of the four identifiers, under names that hold a word."""
    address = f"mailto:{word}@example.org"
    return {
        "account": account(word),
        "mbox": {"mbox": address},
        "openid": {"openid": f"https://openid.example.org/{word}"},
        "mbox_sha1sum": {"mbox_sha1sum": sha1(address.encode(), usedforsecurity=False).hexdigest()},
    }


def naming(place: Place, agent: dict[str, Any], **extra: Any) -> dict[str, Any]:
    """A valid 2.0 statement, of somebody else if it can be, that names an Agent in one place."""
    statement = completed("2002", **{"version": "2.0.0", **extra})
    if place[0] == "object" and place not in {("object",), ("object", "member", "*")}:
        statement["object"] = {"objectType": "SubStatement", **{k: statement[k] for k in ("actor", "verb", "object")}}
    _put(statement, place, agent)
    return statement


def _put(into: dict[str, Any], place: Place, agent: dict[str, Any]) -> None:
    name, rest = place[0], place[1:]
    if not rest:
        of_group = {"objectType": "Group"} if name in {"team", "group"} else {"objectType": "Agent"}
        into[name] = {**agent, **of_group}
    elif rest == ("member", "*"):
        into[name] = {"objectType": "Group", "member": [agent, account("somebody")]}
    elif rest[0] == "*":
        inner: dict[str, Any] = {"objectType": name.removesuffix("s")}
        _put(inner, rest[1:], agent)
        into[name] = [inner]
    else:
        into.setdefault(name, {})
        _put(into[name], rest, agent)
