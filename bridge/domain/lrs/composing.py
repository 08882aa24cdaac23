"""A statement's text: kept as received, with what the LRS assigns set beside it and put in when it is shown."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import orjson

from bridge.domain.lrs.facts import as_list

Part = Mapping[str, Any]

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_OVERRULED = ("stored", "authority")


def moment(at: int) -> str:
    """Return microseconds since 1970 as an RFC 3339 time in UTC."""
    return instant(at).isoformat(timespec="microseconds").replace("+00:00", "Z")


def instant(at: int) -> datetime:
    """Return microseconds since 1970 as a time in UTC, exactly."""
    return _EPOCH + timedelta(microseconds=at)


def microseconds(text: str) -> int:
    """Return a valid timestamp as microseconds since 1970; raises ``ValueError`` beyond the years 1 to 9999."""
    try:
        when = datetime.fromisoformat(text.replace(",", ".")).astimezone(UTC)
    except OverflowError as error:
        raise ValueError("a time between the years 1 and 9999 was expected") from error
    return (when - _EPOCH) // timedelta(microseconds=1)


def identified(raw: bytes, statement: Part, statement_id: str) -> bytes:
    """Return a statement's text with its id: as received, or with the id put in front when it had none."""
    if "id" in statement:
        return raw
    return b'{"id":"' + statement_id.encode() + b'",' + raw.lstrip()[1:]


def assigned(statement: Part, at: int, authority: Part, version: str) -> bytes:
    """Return what the LRS adds to a statement, as the inside of a JSON object (xAPI-Data §2.3.1)."""
    added: dict[str, Any] = {"stored": moment(at), "authority": authority}
    if "version" not in statement:
        added["version"] = version
    return orjson.dumps(added)[1:-1]


def needs_reshaping(statement: Part) -> bool:
    """Say whether a statement must be parsed to be shown, rather than extended."""
    return any(_has_single(one) for one in _levels(statement)) or any(name in statement for name in _OVERRULED)


def published(raw: bytes, statement: dict[str, Any], added: bytes) -> bytes:
    """Return the text for the broker: as received, with id, ``stored``, ``authority`` and ``version``.

    A ``timestamp`` that the LRS assigned is left out: it is no fact of the statement's sender.
    """
    if any(name in statement for name in _OVERRULED):
        return orjson.dumps(statement | orjson.loads(b"{" + added + b"}"))
    return extended(raw, added)


def extended(raw: bytes, added: bytes) -> bytes:
    """Return the text of a JSON object with more properties at its end."""
    return raw.rstrip()[:-1] + b"," + added + b"}"


def exact(raw: bytes, added: bytes, *, reshape: bool) -> bytes:
    """Return the text of ``format=exact``: every byte as received where nothing had to be changed."""
    return orjson.dumps(whole(raw, added)) if reshape else extended(raw, added)


def whole(raw: bytes, added: bytes) -> dict[str, Any]:
    """Return a statement as a value, with what the LRS added and contextActivities as arrays."""
    statement: dict[str, Any] = orjson.loads(raw) | orjson.loads(b"{" + added + b"}")
    for one in _levels(statement):
        related = one.get("context", {}).get("contextActivities", {})
        related.update({name: as_list(value) for name, value in related.items()})
    return statement


def _levels(statement: Part) -> list[Part]:
    """Return a statement, and its SubStatement if it has one."""
    inner: Part = statement["object"]
    return [statement, inner] if inner.get("objectType") == "SubStatement" else [statement]


def _has_single(statement: Part) -> bool:
    related = statement.get("context", {}).get("contextActivities", {})
    return any(not isinstance(value, list) for value in related.values())
