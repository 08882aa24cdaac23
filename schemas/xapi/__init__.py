"""xAPI statements as data: strict validation of 1.0.3 and 2.0, and the names of the verbs.

``is_valid`` decides, fast; ``explain`` says what is wrong with a statement it refused. The shape is in the JSON Schemas
beside this file, each compiled twice: ``jsonschema_rs`` decides, ``jsonschema`` says what is wrong. That one takes long
to load, so a process loads it with the first statement that is to be explained. ``broken`` has what the schemas cannot
say, because it compares one value with another.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from functools import cache
from importlib.resources import files
from itertools import islice
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, NamedTuple, cast

import jsonschema_rs

from schemas import property_names
from schemas.xapi.faults import Fault, fault_of, first_fault, pointer

if TYPE_CHECKING:
    from jsonschema.exceptions import ValidationError

Part = Mapping[str, Any]
"""A part of a statement as decoded JSON: an Agent, an Activity, a context, or all of it; its schema has the fields."""

NewPart = dict[str, Any]
"""A part of a statement that is being made or changed."""

Statement = Part
"""A statement as decoded JSON."""


def read(name: str) -> Any:
    """Return the JSON document ``name`` of this package."""
    return json.loads(files("schemas.xapi").joinpath(name).read_bytes())


VERBS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {name: tuple(iris) for name, iris in read("verbs.json").items()}
)
"""Verb name to the IRIs that mean it, the canonical one first."""

PROPERTIES = frozenset(property_names(read("definitions.json")))
"""Every name that the specification gives to a property of a statement or of one of its parts."""

LONG = 20_000  # values and characters beyond which a statement is long: ``slow`` takes some microseconds for each
MOST_FAULTS = 1000  # faults of which the one to tell of is chosen

_NOT_JSON = Fault("", "JSON alone: no lone surrogate in a text, no NaN, and text as every property name")
_NAMES = {iri: name for name, iris in VERBS.items() for iri in iris}


def verb_name(iri: str) -> str | None:
    """Return the name of the verb that ``iri`` means, or None when it is not one of ``VERBS``."""
    return _NAMES.get(iri)


def is_activity(part: Part) -> bool:
    """Say whether a statement's object is an Activity."""
    return part.get("objectType", "Activity") == "Activity"


def as_list(related: Any) -> list[NewPart]:
    """Return contextActivities as the array that 1.0.0 made of them (xAPI-Data §2.4.6.2)."""
    return cast("list[NewPart]", related if isinstance(related, list) else [related])


class Compiled(NamedTuple):
    """A schema, by its file's name: ``fast`` decides (linear-time patterns), ``slow`` explains."""

    name: str
    fast: jsonschema_rs.Draft202012Validator
    schema: Mapping[str, Any]

    @property
    def slow(self) -> Any:
        """What says all that is wrong: a validator of ``jsonschema``, which leaves its arguments untyped."""
        return _explaining(self.name)


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
def _explaining(name: str) -> Any:
    import jsonschema  # noqa: PLC0415 - see above
    from referencing import Registry  # noqa: PLC0415
    from referencing.jsonschema import DRAFT202012  # noqa: PLC0415

    registry: Registry[Any] = DRAFT202012.create_resource(_DEFINITIONS) @ Registry[Any]()
    return jsonschema.Draft202012Validator(read(name), registry=registry)


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


def is_valid(statement: object, spoken: str | None = None) -> bool:
    """Say whether ``statement`` (decoded JSON) is a valid xAPI statement, of the version by ``compiled_for``."""
    try:
        fits = compiled_for(statement, spoken).fast.is_valid(statement)
    except ValueError:  # text with a lone surrogate, or a key that is not text: Python has them, JSON does not
        return False
    return fits and broken(cast("Statement", statement)) is None


def explain(statement: object, spoken: str | None = None) -> Fault:
    """Return what is wrong with ``statement``, for which ``is_valid`` said no; ``ValueError`` when nothing is.

    Of a long statement it is the first fault that comes, not the most telling one: the time that takes is bounded.
    """
    if is_valid(statement, spoken):
        raise ValueError("the statement is valid: there is nothing to explain")
    schema_pair = compiled_for(statement, spoken)
    try:
        fault = (
            fault_of(first_error(schema_pair, statement))
            if is_long(statement)
            else first_fault(islice(schema_pair.slow.iter_errors(statement), MOST_FAULTS))
        )
    except ValueError:  # as in ``is_valid``
        return _NOT_JSON
    return fault or broken(cast("Statement", statement)) or _NOT_JSON


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


_COMPONENT_LISTS = ("choices", "scale", "source", "target", "steps")

_Path = tuple[str | int, ...]


def broken(statement: Part) -> Fault | None:
    """Return the first rule that ``statement`` or its SubStatement breaks, or None when it keeps them all."""
    fault = _score(statement) or _components(statement)
    inner = statement["object"]
    if fault is None and inner.get("objectType") == "SubStatement":
        fault = broken(inner)
        return fault and Fault(f"/object{fault.pointer}", fault.expected)
    return fault


def _score(statement: Part) -> Fault | None:
    """Clause 2.4.5.1: min is less than max, and raw is from one to the other."""
    score = statement.get("result", {}).get("score")
    if not score:
        return None
    raw, low, high = score.get("raw"), score.get("min"), score.get("max")
    if low is not None and high is not None and low >= high:
        return Fault("/result/score/max", "a number greater than min")
    if raw is not None and low is not None and raw < low:
        return Fault("/result/score/raw", "a number not less than min")
    if raw is not None and high is not None and raw > high:
        return Fault("/result/score/raw", "a number not greater than max")
    return None


def _components(statement: Part) -> Fault | None:
    """Clause 2.4.4.1: within an array of interaction components, all id values are distinct."""
    for path, activity in _activities(statement):
        definition = activity.get("definition")
        if definition and "interactionType" in definition:
            for name in _COMPONENT_LISTS:
                ids = [component["id"] for component in definition.get(name, ())]
                if len(set(ids)) < len(ids):
                    where = pointer((*path, "definition", name))
                    return Fault(where, "interaction components whose ids all differ")
    return None


def _activities(statement: Part) -> Iterator[tuple[_Path, Part]]:
    yield ("object",), statement["object"]
    for relation, related in statement.get("context", {}).get("contextActivities", {}).items():
        at = ("context", "contextActivities", relation)
        if isinstance(related, list):
            yield from (((*at, index), activity) for index, activity in enumerate(cast("list[Part]", related)))
        else:
            yield at, related


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
