"""A statement's text: kept as received, with what the LRS assigns set beside it and put in when it is shown.

Then the formats ``ids`` and ``canonical`` of ``GET /statements`` (xAPI-Communication §2.1.3).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

import orjson

from bridge.domain.lrs.index_keys import activities, mention_of_agent, related_agents
from bridge.domain.privacy.people import named_in
from bridge.domain.record import markup
from bridge.domain.statements.completions import ranked
from schemas.xapi import NewPart, Part, as_list
from schemas.xapi.people import IDENTIFIERS

P = TypeVar("P", Mapping[str, Any], dict[str, Any])

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_OVERRULED = ("stored", "authority")
_LOCAL_TIME = re.compile(rb'"timestamp"\s*:\s*"[^"]*[^"Zz]"')
_SPEAKS_2 = re.compile(rb'"version"\s*:\s*"2\.')


def format_time(at: int) -> str:
    """Return microseconds since 1970 as an RFC 3339 time in UTC."""
    return to_datetime(at).isoformat(timespec="microseconds").replace("+00:00", "Z")


def to_datetime(at: int) -> datetime:
    """Return microseconds since 1970 as a time in UTC, exactly."""
    return _EPOCH + timedelta(microseconds=at)


def parse_time(text: str) -> int:
    """Return a valid timestamp as microseconds since 1970; raises ``ValueError`` beyond the years 1 to 9999."""
    try:
        when = datetime.fromisoformat(text.replace(",", ".")).astimezone(UTC)
    except OverflowError as error:
        raise ValueError("a time between the years 1 and 9999 was expected") from error
    return (when - _EPOCH) // timedelta(microseconds=1)


def with_id(raw: bytes, statement: Part, statement_id: str) -> bytes:
    """Return a statement's text with its id: as received, or with the id put in front when it had none."""
    if "id" in statement:
        return raw
    return b'{"id":"' + statement_id.encode() + b'",' + raw.lstrip()[1:]


def assigned_properties(statement: Part, at: int, authority: Part, version: str) -> bytes:
    """Return what the LRS adds to a statement, as the inside of a JSON object (xAPI-Data §2.3.1)."""
    additions: NewPart = {"stored": format_time(at), "authority": authority}
    if "version" not in statement:
        additions["version"] = version
    return orjson.dumps(additions)[1:-1]


def needs_reshaping(statement: Part) -> bool:
    """Say whether a statement must be parsed to be shown, rather than extended."""
    return any(_has_single_activity(part) for part in with_substatement(statement)) or any(
        name in statement for name in _OVERRULED
    )


def message_text(raw: bytes, statement: NewPart, additions: bytes) -> bytes:
    """Return the text for the broker: as received, with id, ``stored``, ``authority`` and ``version``.

    A ``timestamp`` that the LRS assigned is left out: it is no fact of the statement's sender.
    """
    if any(name in statement for name in _OVERRULED):
        return orjson.dumps(statement | orjson.loads(b"{" + additions + b"}"))
    return with_properties(raw, additions)


def with_properties(raw: bytes, additions: bytes) -> bytes:
    """Return the text of a JSON object with more properties at its end."""
    return raw.rstrip()[:-1] + b"," + additions + b"}"


def exact_text(raw: bytes, additions: bytes, *, reshape: bool, reader: str) -> bytes:
    """Return the text of ``format=exact``: every byte as received where nothing had to be changed."""
    speaks_2 = reader == "2.0.0" or _SPEAKS_2.search(additions) or _SPEAKS_2.search(raw)
    if reshape or (speaks_2 and _LOCAL_TIME.search(raw)):
        return orjson.dumps(complete_statement(raw, additions, reader))
    return with_properties(raw, additions)


def complete_statement(raw: bytes, additions: bytes, reader: str) -> NewPart:
    """Return a statement as a value, with what the LRS added and contextActivities as arrays.

    Times are in UTC for who speaks 2.0, and in what was sent as 2.0 (IEEE 9274.1.1 §4.2.7); 1.0.3 keeps the offset.
    """
    statement: NewPart = orjson.loads(raw) | orjson.loads(b"{" + additions + b"}")
    is_utc = reader == "2.0.0" or str(statement["version"]).startswith("2.")
    for part in with_substatement(statement):
        related = part.get("context", {}).get("contextActivities", {})
        related.update({name: as_list(value) for name, value in related.items()})
        if is_utc and "timestamp" in part:
            part["timestamp"] = to_utc(part["timestamp"])
    return statement


def to_utc(timestamp: str) -> str:
    """Return a valid timestamp with the offset Z; one that is in UTC as it is, and one beyond the years 1 to 9999."""
    if timestamp[-1:] in "Zz":
        return timestamp
    try:
        return format_time(parse_time(timestamp))
    except ValueError:
        return timestamp


def with_substatement(statement: P) -> list[P]:
    """Return a statement, and its SubStatement if it has one."""
    inner: P = statement["object"]
    return [statement, inner] if inner.get("objectType") == "SubStatement" else [statement]


def _has_single_activity(statement: Part) -> bool:
    related = statement.get("context", {}).get("contextActivities", {})
    return any(not isinstance(value, list) for value in related.values())


_MERGED_MAPS = ("name", "description", "extensions")
_COMPONENTS = ("choices", "scale", "source", "target", "steps")


def reduce_to_ids(statement: NewPart) -> NewPart:
    """Reduce, in place, every Agent, Activity, Verb and Group to what identifies it."""
    for activity in activities(statement):
        _keep(activity, ("id",))
    for _, agent in list(named_in(statement)):
        _identify(agent)
    for part in with_substatement(statement):
        _keep(part["verb"], ("id",))
    return statement


def _identify(agent: NewPart) -> None:
    """Keep the identifier of an Agent or Group; an anonymous Group is known by its members."""
    is_identified = any(name in agent for name in IDENTIFIERS)
    _keep(agent, ("objectType", *IDENTIFIERS) if is_identified else ("objectType", "member"))
    for member in agent.get("member", ()):
        _identify(member)


def _keep(part: NewPart, names: Sequence[str]) -> None:
    for name in part.keys() - set(names):
        del part[name]


def make_canonical(statement: NewPart, definitions: Mapping[str, Part], languages: Sequence[str]) -> NewPart:
    """Give each Activity, in place, the definition that the LRS holds, and each language map one language."""
    for activity in activities(statement):
        definition = definitions.get(activity["id"], activity.get("definition"))
        if definition:
            activity["definition"] = _definition_in_language(definition, languages)
    for part in with_substatement(statement):
        if "display" in part["verb"]:
            part["verb"]["display"] = _in_language(part["verb"]["display"], languages)
    return statement


def _definition_in_language(definition: Part, languages: Sequence[str]) -> NewPart:
    definition_part = dict(definition)
    for name in ("name", "description"):
        if name in definition_part:
            definition_part[name] = _in_language(definition_part[name], languages)
    for name in _COMPONENTS:
        if name in definition_part:
            definition_part[name] = [_component(component, languages) for component in definition_part[name]]
    return definition_part


def _component(component: Part, languages: Sequence[str]) -> NewPart:
    if "description" not in component:
        return {**component}
    return {**component, "description": _in_language(component["description"], languages)}


def _in_language(texts: Mapping[str, str], languages: Sequence[str]) -> dict[str, str]:
    tags = ranked({tag: tag for tag in texts}, languages)
    visible = next((tag for tag in tags if markup.is_visible(markup.readable(texts[tag]))), None)
    return dict(texts) if visible is None else {visible: texts[visible]}


def merge_definitions(definitions: Iterable[Part]) -> NewPart:
    """Put definitions of one Activity together, the oldest first: languages add up, the newest word counts."""
    merged: NewPart = {}
    for definition in definitions:
        for name, value in definition.items():
            merged[name] = {**merged.get(name, {}), **value} if name in _MERGED_MAPS else value
    return merged


def definitions_in(statement: Part) -> dict[str, Part]:
    """Return Activity id → definition for the Activities that a statement defines."""
    return {part["id"]: part["definition"] for part in activities(statement) if part.get("definition")}


def names_of(statement: Part, agent_key: bytes) -> list[str]:
    """Return the names that a statement gives to the Agent whose mentions have this key."""
    return [agent["name"] for agent in related_agents(statement) if "name" in agent and _has_key(agent, agent_key)]


def _has_key(agent: Part, agent_key: bytes) -> bool:
    return any(name in agent for name in IDENTIFIERS) and mention_of_agent(agent) == agent_key
