"""When two statements are the same one (xAPI-Data §2.3.1, §2.6): told apart by facts, not by spelling."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, cast

from bridge.domain.lrs.composing import microseconds
from bridge.domain.lrs.facts import as_list

Part = Mapping[str, Any]

SIGNATURE = "http://adlnet.gov/expapi/attachments/signature"

_ASSIGNED = ("id", "authority", "stored", "version")
_PRECISION = re.compile(r"([.,][0-9]{2})[0-9]+(?=S$)")


def same(one: Part, other: Part) -> bool:
    """Say whether two valid statements tell the same; a ``timestamp`` counts only when both have one."""
    first, second = _normal(one), _normal(other)
    if "timestamp" not in first or "timestamp" not in second:
        first.pop("timestamp", None)
        second.pop("timestamp", None)
    return first == second


def _normal(statement: Part) -> dict[str, Any]:
    kept = {name: value for name, value in statement.items() if name not in _ASSIGNED}
    kept["actor"] = _agent(kept["actor"])
    kept["verb"] = kept["verb"]["id"]
    kept["object"] = _object(kept["object"])
    _normal_times(kept)
    if "context" in kept:
        kept["context"] = _context(kept["context"])
    kept["attachments"] = [one for one in kept.get("attachments", ()) if one["usageType"] != SIGNATURE]
    return kept


def _normal_times(statement: dict[str, Any]) -> None:
    """Compare instants, and durations to a hundredth of a second (xAPI-Data §4.6)."""
    if "timestamp" in statement:
        statement["timestamp"] = _instant(statement["timestamp"])
    duration = statement.get("result", {}).get("duration")
    if duration:
        statement["result"] = {**statement["result"], "duration": _PRECISION.sub(r"\1", duration)}


def _instant(text: str) -> int | str:
    try:
        return microseconds(text)
    except ValueError:
        return text


def _object(thing: Part) -> Any:
    kind = thing.get("objectType", "Activity")
    if kind == "Activity":
        return ("Activity", thing["id"])
    if kind == "SubStatement":
        return _normal(thing)
    return (kind, thing["id"].lower()) if kind == "StatementRef" else _agent(thing)


def _context(context: Part) -> dict[str, Any]:
    kept = dict(context)
    for name in ("instructor", "team"):
        if name in kept:
            kept[name] = _agent(kept[name])
    related = cast("Mapping[str, Any]", kept.get("contextActivities", {}))
    kept["contextActivities"] = {
        name: sorted(one["id"] for one in as_list(value)) for name, value in related.items() if as_list(value)
    }
    return kept


def _agent(agent: Part) -> dict[str, Any]:
    return {"objectType": "Agent", **{name: value for name, value in agent.items() if name != "name"}}
