"""The statement schemas, each compiled twice: ``jsonschema_rs`` to decide fast, ``jsonschema`` to say what is wrong."""

from __future__ import annotations

import json
from collections.abc import Iterable
from functools import cache
from importlib.resources import files
from typing import Any, NamedTuple, Protocol, cast

import jsonschema
import jsonschema_rs
from jsonschema.exceptions import ValidationError
from referencing import Registry
from referencing.jsonschema import DRAFT202012


def read(name: str) -> Any:
    """Return the JSON document ``name`` of this package."""
    return json.loads(files("schemas.xapi").joinpath(name).read_bytes())


class Explaining(Protocol):
    """The part of a ``jsonschema`` validator that is used here; the library leaves its arguments untyped."""

    def is_valid(self, instance: object) -> bool:
        """Say whether ``instance`` fits the schema."""
        ...

    def iter_errors(self, instance: object) -> Iterable[ValidationError]:
        """Yield each way in which ``instance`` does not fit, in the order of the schema."""
        ...


class Compiled(NamedTuple):
    """One schema: ``fast`` decides (linear-time patterns), ``slow`` explains."""

    fast: jsonschema_rs.Draft202012Validator
    slow: Explaining


_DEFINITIONS: dict[str, Any] = read("definitions.json")
_FAST_REGISTRY = jsonschema_rs.Registry([(_DEFINITIONS["$id"], _DEFINITIONS)])
_SLOW_REGISTRY: Registry[Any] = DRAFT202012.create_resource(_DEFINITIONS) @ Registry[Any]()


def _compile(name: str) -> Compiled:
    schema = read(name)
    # The linear-time engine: a statement is a stranger's text, and must not buy CPU by backtracking.
    engine = jsonschema_rs.RegexOptions()
    return Compiled(
        jsonschema_rs.Draft202012Validator(schema, registry=_FAST_REGISTRY, pattern_options=engine),
        cast("Explaining", jsonschema.Draft202012Validator(schema, registry=_SLOW_REGISTRY)),
    )


_V1_0_3 = _compile("statement-1.0.3.json")
_V2_0 = _compile("statement-2.0.json")


def compiled_for(statement: object, spoken: str | None = None) -> Compiled:
    """Return the schema of the version that ``statement`` claims: 2.0 when it begins with ``2.``, else 1.0.3.

    ``spoken`` is the version of the request that brought it: 1.0.x takes nothing newer, and 2.0 is what a statement
    without a version then is (IEEE 9274.1.1 §4.2.4.3).
    """
    claimed = cast("dict[str, object]", statement).get("version") if isinstance(statement, dict) else None
    if spoken is None:
        return _V2_0 if isinstance(claimed, str) and claimed.startswith("2.") else _V1_0_3
    if spoken.startswith("1."):
        return _V1_0_3
    return _V1_0_3 if isinstance(claimed, str) and claimed.startswith("1.") else _V2_0


@cache
def _part(name: str) -> jsonschema_rs.Draft202012Validator:
    schema = {"$ref": f"{_DEFINITIONS['$id']}#/$defs/{name}"}
    return jsonschema_rs.Draft202012Validator(
        schema, registry=_FAST_REGISTRY, pattern_options=jsonschema_rs.RegexOptions()
    )


def fits_part(name: str, value: object) -> bool:
    """Say whether ``value`` (decoded JSON) is what ``name`` in ``definitions.json`` describes, such as ``agent``."""
    try:
        return _part(name).is_valid(value)
    except ValueError:  # as in ``is_valid``: no JSON
        return False
