"""The statement schemas, each compiled twice: ``jsonschema_rs`` to decide fast, ``jsonschema`` to say what is wrong.

``jsonschema`` takes long to load, so a process loads it with the first statement that is to be explained.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol, cast

import jsonschema_rs

if TYPE_CHECKING:
    from jsonschema.exceptions import ValidationError


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
    """A schema, by its file's name: ``fast`` decides (linear-time patterns), ``slow`` explains."""

    name: str
    fast: jsonschema_rs.Draft202012Validator
    schema: Mapping[str, Any]

    @property
    def slow(self) -> Explaining:
        """What says all that is wrong."""
        return _explaining(self.name)


LONG = 20_000
"""Values and characters beyond which a statement is long: ``slow`` takes some microseconds for each."""

_DEFINITIONS: dict[str, Any] = read("definitions.json")
_FAST_REGISTRY = jsonschema_rs.Registry([(_DEFINITIONS["$id"], _DEFINITIONS)])


def _compile(name: str) -> Compiled:
    schema = read(name)
    # The linear-time engine: a statement is a stranger's text, and must not buy CPU by backtracking.
    engine = jsonschema_rs.RegexOptions()
    return Compiled(
        name, jsonschema_rs.Draft202012Validator(schema, registry=_FAST_REGISTRY, pattern_options=engine), schema
    )


@cache
def _explaining(name: str) -> Explaining:
    import jsonschema  # noqa: PLC0415 - see above
    from referencing import Registry  # noqa: PLC0415
    from referencing.jsonschema import DRAFT202012  # noqa: PLC0415

    registry: Registry[Any] = DRAFT202012.create_resource(_DEFINITIONS) @ Registry[Any]()
    return cast("Explaining", jsonschema.Draft202012Validator(read(name), registry=registry))


_V1_0_3 = _compile("statement-1.0.3.json")
_V2_0 = _compile("statement-2.0.json")


def compiled_for(statement: object, spoken: str | None = None) -> Compiled:
    """Return the schema of the version that ``statement`` claims: 2.0 when it begins with ``2.``, else 1.0.3.

    ``spoken`` is the version of the request that brought it: 1.0.x takes nothing newer, and 2.0 is what a statement
    without a version then is (IEEE 9274.1.1 §4.2.4.3).
    """
    claimed_version = cast("dict[str, object]", statement).get("version") if isinstance(statement, dict) else None
    if spoken is None:
        return _V2_0 if isinstance(claimed_version, str) and claimed_version.startswith("2.") else _V1_0_3
    if spoken.startswith("1."):
        return _V1_0_3
    return _V1_0_3 if isinstance(claimed_version, str) and claimed_version.startswith("1.") else _V2_0


def is_long(value: object) -> bool:
    """Say whether decoded JSON is too long for ``slow``."""
    remaining, queue = LONG, [value]
    while queue and remaining >= 0:
        item = queue.pop()
        remaining -= 1
        if isinstance(item, str):
            remaining -= len(item)
        elif isinstance(item, list):
            queue += cast("list[object]", item)
        elif isinstance(item, dict):
            queue += [*cast("dict[object, object]", item).keys(), *cast("dict[object, object]", item).values()]
    return remaining < 0


def first_error(schema_pair: Compiled, statement: object) -> ValidationError | None:
    """Return the first error that ``fast`` comes upon, as ``slow`` tells it; raises ``ValueError`` for what is no JSON.

    ``fast`` says where the keyword is in the schema that its location names; that of a property's name is in the
    definitions.
    """
    from jsonschema.exceptions import ValidationError  # noqa: PLC0415 - see above

    try:
        schema_pair.fast.validate(statement)
    except jsonschema_rs.ValidationError as error:
        base, _, place = (error.absolute_keyword_location or "").partition("#")
        *parents, keyword = error.schema_path
        schema: Any = _DEFINITIONS if base == _DEFINITIONS["$id"] else schema_pair.schema
        for token in parents:
            schema = schema[token]
        return ValidationError(
            "",
            validator=str(keyword),
            path=error.instance_path,
            instance=error.instance,
            schema=schema,
            schema_path=place.split("/"),
            validator_value=schema[keyword],
        )
    return None


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


def part_schema(name: str) -> dict[str, Any]:
    """Return what ``definitions.json`` says of ``name`` as a schema of its own, its title as the description."""
    return cast("dict[str, Any]", _whole(_DEFINITIONS["$defs"][name]))


def _whole(schema: Any) -> Any:
    if isinstance(schema, list):
        return [_whole(part) for part in cast("list[Any]", schema)]
    if not isinstance(schema, dict):
        return schema
    parts = cast("dict[str, Any]", schema)
    if "$ref" in parts:
        return _whole(_DEFINITIONS["$defs"][parts["$ref"].rpartition("/")[2]])
    names = {"title": "description"}
    return {names.get(name, name): _whole(part) for name, part in parts.items() if name != "$comment"}
