"""Statement comparison (xAPI-Data §2.3.1): whether two are one statement, told by facts and not by spelling.

Every difference is ignored that the specification lets an LRS or a sender cause, and no other. In the canonical form:

- ``id``, ``authority``, ``stored`` and ``version`` are left out; a ``timestamp`` counts when both have one
- of Activities and Verbs only the ids count, of Agents the identifier and not the name
- a time is an instant, cut to the milliseconds that must be preserved (§4.5); a duration is a text, cut to hundredths
  of a second (§4.6)
- the order of a Group's members does not count, nor that of contextActivities, where one alone is an array (§2.4.6.2)
- of attachments ``fileUrl`` is left out; so is a signature, which is made over the statement without it (§2.6)
- case does not count where it tells nothing: domains of mailboxes, UUIDs, hashes, language tags, media types
- nor do JSON's own spellings (order, escapes, 1 and 1.0), nor what says nothing: the default ``objectType``, ``{}``
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime, timedelta
from functools import partial
from operator import itemgetter
from typing import Any, Final, cast

import orjson

from schemas.xapi import NewPart, Part, as_list

Way = Callable[[Any], Any]
"""How a part of a statement is written in the canonical form."""

SIGNATURE: Final = "http://adlnet.gov/expapi/attachments/signature"

_HASH_BYTES: Final = 32
_INSTANT_BYTES: Final = 8
_EPOCH: Final = datetime(1970, 1, 1)  # noqa: DTZ001 - of times whose offset has been taken away
_MILLISECOND: Final = timedelta(milliseconds=1)
_FRACTION: Final = re.compile(r"[.,]([0-9]*)S$")
_WHOLE: Final = range(-(2**63), 2**64)

_text = partial(orjson.dumps, option=orjson.OPT_SORT_KEYS)


def same(statement: Part, other: Part) -> bool:
    """Say whether two valid statements are the same one."""
    return is_same(digest(statement), digest(other))


def is_same(digest: bytes, other_digest: bytes) -> bool:
    """Say whether two digests are of one statement; an empty one, of what was erased, is of none."""
    facts, instant = digest[:_HASH_BYTES], digest[_HASH_BYTES:]
    other_facts, other_instant = other_digest[:_HASH_BYTES], other_digest[_HASH_BYTES:]
    return bool(facts) and facts == other_facts and (not (instant and other_instant) or instant == other_instant)


def digest(statement: Part) -> bytes:
    """Return the SHA-256 of a valid statement's canonical form, and after it, if it has one, the instant of it.

    The ledger keeps it: another canonical form needs a migration.
    """
    facts = _statement(statement)
    instant: int | None = facts.pop("timestamp", None)
    fact_digest = hashlib.sha256(_text(facts)).digest()
    return fact_digest if instant is None else fact_digest + instant.to_bytes(_INSTANT_BYTES, "big", signed=True)


def _statement(statement: Part) -> NewPart:
    """Return the canonical form of a Statement or SubStatement."""
    return _rewritten(statement, _OF_STATEMENT)


def _rewritten(part: Part, ways: Mapping[str, Way]) -> NewPart:
    """Return an object with its properties as ``ways`` write them, or as they are, and without what is empty."""
    written_part = {name: ways[name](value) if name in ways else value for name, value in part.items()}
    return {name: value for name, value in written_part.items() if value not in ({}, [])}


def _left_out(_: Any) -> NewPart:
    return {}


def _object(thing: Part) -> NewPart:
    kind = thing.get("objectType", "Activity")
    if kind == "Activity":
        return {"objectType": kind, "id": thing["id"]}
    if kind == "SubStatement":
        return _statement(thing)
    return _reference(thing) if kind == "StatementRef" else _agent(thing)


def _reference(reference: Part) -> NewPart:
    return {**reference, "id": reference["id"].lower()}


def _agent(agent: Part) -> NewPart:
    return {"objectType": "Agent", **_rewritten(agent, _OF_AGENT)}


def _mailbox(iri: str) -> str:
    local, at, domain = iri.rpartition("@")
    return local + at + domain.lower()


def _unordered(values: Iterable[Any], way: Way) -> list[Any]:
    return sorted(map(way, values), key=_text)


def _related(activities: Part) -> NewPart:
    return {name: sorted(item["id"] for item in as_list(value)) for name, value in activities.items() if value != []}


def _involved(context_agent: Part) -> NewPart:
    return _rewritten(context_agent, _OF_INVOLVED)


def _duration(duration: str) -> str:
    """Return a duration cut to hundredths of a second; xAPI compares the rest as text."""
    return _FRACTION.sub(lambda fraction: f".{fraction[1][:2]}".rstrip("0").rstrip(".") + "S", duration)


def _attachments(attachments: Iterable[Part]) -> list[NewPart]:
    return [_rewritten(item, _OF_ATTACHMENT) for item in attachments if item["usageType"] != SIGNATURE]


def _media_type(media_type: str) -> str:
    kind, separator, parameters = media_type.partition(";")
    return kind.rstrip().lower() + separator + parameters.strip()


def _tagged(language_map: Mapping[str, str]) -> dict[str, str]:
    return {tag.lower(): text for tag, text in language_map.items()}


def _milliseconds(timestamp: str) -> int:
    """Return the instant of a valid timestamp in milliseconds since 1970, in UTC also where that is no year of ours."""
    when = datetime.fromisoformat(timestamp)
    return (when.replace(tzinfo=None) - _EPOCH - (when.utcoffset() or timedelta())) // _MILLISECOND


def _plain(value: Any) -> Any:
    """Return JSON with each whole number as an integer: 1, 1.0 and 1e0 are one number (RFC 8259 §6)."""
    if isinstance(value, dict):
        return {name: _plain(inner) for name, inner in cast("dict[str, Any]", value).items()}
    if isinstance(value, list):
        return [_plain(inner) for inner in cast("list[Any]", value)]
    if isinstance(value, float) and value.is_integer() and int(value) in _WHOLE:
        return int(value)
    return value


_OF_AGENT: Final[dict[str, Way]] = {
    "name": _left_out,
    "mbox": _mailbox,
    "mbox_sha1sum": str.lower,
    "member": partial(_unordered, way=_agent),
}
_OF_INVOLVED: Final[dict[str, Way]] = {"agent": _agent, "group": _agent, "relevantTypes": sorted}
_OF_RESULT: Final[dict[str, Way]] = {"duration": _duration, "score": _plain, "extensions": _plain}
_OF_CONTEXT: Final[dict[str, Way]] = {
    "registration": str.lower,
    "instructor": _agent,
    "team": _agent,
    "contextActivities": _related,
    "contextAgents": partial(_unordered, way=_involved),
    "contextGroups": partial(_unordered, way=_involved),
    "language": str.lower,
    "statement": _reference,
    "extensions": _plain,
}
_OF_ATTACHMENT: Final[dict[str, Way]] = {
    "fileUrl": _left_out,
    "sha2": str.lower,
    "contentType": _media_type,
    "length": _plain,
    "display": _tagged,
    "description": _tagged,
}
_OF_STATEMENT: Final[dict[str, Way]] = {
    **dict.fromkeys(("id", "authority", "stored", "version"), _left_out),
    "actor": _agent,
    "verb": itemgetter("id"),
    "object": _object,
    "timestamp": _milliseconds,
    "result": partial(_rewritten, ways=_OF_RESULT),
    "context": partial(_rewritten, ways=_OF_CONTEXT),
    "attachments": _attachments,
}
