"""xAPI statements as data: strict validation of 1.0.3 and 2.0, and the names of the verbs.

``is_valid`` decides, fast; ``explain`` says what is wrong with a statement it refused. The shape is in the JSON Schemas
beside this file; ``broken`` has what they cannot say, because it compares one value with another.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import islice
from types import MappingProxyType
from typing import Any, cast

from schemas import property_names
from schemas.xapi.compiled import compiled_for, first_error, fits_part, is_long, part_schema, read
from schemas.xapi.faults import Fault, fault_of, first_fault, pointer

__all__ = [
    "PROPERTIES",
    "VERBS",
    "Fault",
    "NewPart",
    "Part",
    "Statement",
    "explain",
    "fits_part",
    "is_valid",
    "part_schema",
    "pointer",
    "verb_name",
]

Part = Mapping[str, Any]
"""A part of a statement as decoded JSON: an Agent, an Activity, a context, or all of it; its schema has the fields."""

NewPart = dict[str, Any]
"""A part of a statement that is being made or changed."""

Statement = Part
"""A statement as decoded JSON."""

VERBS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {name: tuple(iris) for name, iris in read("verbs.json").items()}
)
"""Verb name to the IRIs that mean it, the canonical one first."""

PROPERTIES = frozenset(property_names(read("definitions.json")))
"""Every name that the specification gives to a property of a statement or of one of its parts."""

MOST_FAULTS = 1000
"""Faults of which the one to tell of is chosen."""

_NOT_JSON = Fault("", "JSON alone: no lone surrogate in a text, no NaN, and text as every property name")
_NAMES = {iri: name for name, iris in VERBS.items() for iri in iris}


def verb_name(iri: str) -> str | None:
    """Return the name of the verb that ``iri`` means, or None when it is not one of ``VERBS``."""
    return _NAMES.get(iri)


def is_valid(statement: object, spoken: str | None = None) -> bool:
    """Say whether ``statement`` (decoded JSON) is a valid xAPI statement of the version it claims, by default 1.0.3.

    ``spoken`` is the version of the request that brought it, if any: see ``compiled.compiled_for``.
    """
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
