"""A statement's text: kept as received, with what the LRS assigns set beside it and put in when it is shown."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

import orjson

from bridge.domain.lrs.index_keys import as_list
from schemas.xapi import NewPart, Part

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
    return any(_has_single_activity(part) for part in _with_substatement(statement)) or any(
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
    for part in _with_substatement(statement):
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


def _with_substatement(statement: P) -> list[P]:
    """Return a statement, and its SubStatement if it has one."""
    inner: P = statement["object"]
    return [statement, inner] if inner.get("objectType") == "SubStatement" else [statement]


def _has_single_activity(statement: Part) -> bool:
    related = statement.get("context", {}).get("contextActivities", {})
    return any(not isinstance(value, list) for value in related.values())
