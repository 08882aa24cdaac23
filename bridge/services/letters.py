"""What a dead letter tells: the facts to list it by, whom it is about, and its body for the one who looks."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, cast

import orjson

from bridge.broker.dead_letters import DeadLetter, Letter
from bridge.domain import agents, bodies, decoding, unpacking
from bridge.domain.masking import masked
from bridge.errors import FieldFault, ValidationFailed
from bridge.store.dead_letters import LARGEST_BODY, Row

AGE = r"^[1-9][0-9]{0,5}[smhd]$"
"""How an age is written: a number of seconds, minutes, hours or days."""

LONG_AGO = datetime(1, 1, 1, tzinfo=UTC)

DEEPEST = 200
"""Levels of nesting that are shown; an answer is written with 254 at most."""

_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}


@dataclass(frozen=True, slots=True)
class Asked:
    """Which letters are meant: all that is given has to hold. Ages are those of the failure, as ``AGE`` writes them."""

    ids: tuple[str, ...] | None = None
    reason: str | None = None
    older_than: str | None = None
    younger_than: str | None = None
    member_id: str | None = None


def failed(age: str | None) -> datetime | None:
    """Return when what has this age failed; raises ``ValidationFailed`` for what is not an age."""
    if age is None:
        return None
    if not re.fullmatch(AGE, age):
        message = "Write an age as a number with s, m, h or d, for example 90m or 7d."
        raise ValidationFailed(message, faults=[FieldFault("/older_than", "Age", message)])
    with suppress(OverflowError):
        return datetime.now(UTC) - timedelta(**{_UNITS[age[-1]]: int(age[:-1])})
    return LONG_AGO


def row(one: Letter) -> Row:
    """Return the mirror's row of a letter."""
    letter = one.letter
    facts = {
        "reason": letter.reason.value,
        "detail": letter.detail,
        "exchange": letter.origin.exchange,
        "routing_key": letter.origin.routing_key,
        "correlation_id": letter.origin.correlation_id,
        "content_type": letter.origin.content_type,
        "content_encoding": letter.origin.content_encoding,
        "failed_at": letter.failed_at.isoformat(),
        "attempts": letter.attempts,
    }
    return Row(one.id, letter.body, facts, list(dict.fromkeys(_about(letter))))


def body_shown(letter: Mapping[str, Any], *, reveal: bool) -> dict[str, Any]:
    """Return ``body`` and ``shown``: ``masked``, ``revealed``, ``unreadable``, or ``not_kept`` (too large).

    What is not JSON, or nested too deep, has no structure to show masked: it is shown only when revealed, as text.
    """
    if letter["body"] is None:
        return {"body": None, "shown": "not_kept"}
    try:
        value = _not_deep(_decoded(letter["body"], letter["content_encoding"], letter["content_type"]))
    except (bodies.UnreadableBody, bodies.BodyTooLarge):
        text = letter["body"].decode("utf-8", "backslashreplace")
        return {"body": text, "shown": "revealed"} if reveal else {"body": None, "shown": "unreadable"}
    return {"body": value, "shown": "revealed"} if reveal else {"body": masked(value), "shown": "masked"}


def body_about(letter: Mapping[str, Any], keys: Collection[str]) -> list[str] | None:
    """Return the JSON of each statement or message in a letter's body that is about these keys' owner, and nobody else.

    None where it cannot be told: the body was not kept, is not JSON, or is nested too deeply to be written.
    """
    if letter["body"] is None:
        return None
    try:
        found = _objects(_decoded(letter["body"], letter["content_encoding"], letter["content_type"]))
        return [orjson.dumps(one).decode() for one in found if _is_about(one, keys)]
    except (bodies.UnreadableBody, bodies.BodyTooLarge, orjson.JSONEncodeError):
        return None


def _is_about(one: Mapping[str, Any], keys: Collection[str]) -> bool:
    whom = set(_about_object(one))
    return bool(whom) and whom.issubset(keys)


def _decoded(body: bytes, content_encoding: str | None, content_type: str | None) -> Any:
    return decoding.lenient(unpacking.unpacked(body, LARGEST_BODY, content_encoding, content_type))


def _not_deep(value: Any) -> Any:
    """Return decoded JSON as it is; raises ``UnreadableBody`` for more than ``DEEPEST`` levels."""
    level = [value]
    for _ in range(DEEPEST):
        level = [child for one in level for child in _children(one)]
    if level:
        raise bodies.UnreadableBody(f"at most {DEEPEST} levels of nesting were expected")
    return value


def _children(value: Any) -> Iterable[Any]:
    if isinstance(value, dict):
        return cast("dict[str, Any]", value).values()
    return cast("list[Any]", value) if isinstance(value, list) else ()


def _about(letter: DeadLetter) -> Iterator[str]:
    """Yield the keys of those whom a letter's body is about, as far as it can be read."""
    try:
        value = _decoded(letter.body, letter.origin.content_encoding, letter.origin.content_type)
    except (bodies.UnreadableBody, bodies.BodyTooLarge):
        return
    for one in _objects(value):
        yield from _about_object(one)


def _objects(value: Any) -> Iterator[dict[str, Any]]:
    """Yield the statement, or message, that a body is, or each of its array."""
    for one in cast("list[Any]", value) if isinstance(value, list) else [value]:
        if isinstance(one, dict):
            yield cast("dict[str, Any]", one)


def _about_object(one: Mapping[str, Any]) -> Iterator[str]:
    if isinstance(one.get("member_id"), str):
        yield agents.id_key(one["member_id"])
    try:
        yield agents.identifier_key(one["actor"])
    except (KeyError, TypeError, ValueError, AttributeError):  # the letter may be here because its actor is no Agent
        return
