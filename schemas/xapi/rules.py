"""The rules of a statement that JSON Schema cannot say, because they compare one value with another.

They are asked only about what the schema has accepted, so they need not look at types.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, cast

from schemas.xapi.faults import Fault, pointer

_COMPONENT_LISTS = ("choices", "scale", "source", "target", "steps")

_Object = Mapping[str, Any]
_Path = tuple[str | int, ...]


def broken(statement: _Object) -> Fault | None:
    """Return the first rule that ``statement`` or its SubStatement breaks, or None when it keeps them all."""
    fault = _score(statement) or _components(statement)
    inner = statement["object"]
    if fault is None and inner.get("objectType") == "SubStatement":
        fault = broken(inner)
        return fault and Fault(f"/object{fault.pointer}", fault.expected)
    return fault


def _score(statement: _Object) -> Fault | None:
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


def _components(statement: _Object) -> Fault | None:
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


def _activities(statement: _Object) -> Iterator[tuple[_Path, _Object]]:
    yield ("object",), statement["object"]
    for relation, related in statement.get("context", {}).get("contextActivities", {}).items():
        at = ("context", "contextActivities", relation)
        if isinstance(related, list):
            yield from (((*at, index), activity) for index, activity in enumerate(cast("list[_Object]", related)))
        else:
            yield at, related
