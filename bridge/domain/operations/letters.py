"""Dead letters: the facts to list one by, whom it is about, and its body for the one who looks."""

from __future__ import annotations

import hashlib
import re
import uuid
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, TypedDict, cast

import orjson

from bridge.domain.fields import is_deep
from bridge.domain.list_keys import SortKey
from bridge.domain.members import identifiers
from bridge.domain.privacy.masking import masked
from bridge.domain.privacy.people import alone, anybody_in, keys_of, without
from bridge.domain.privacy.subjects import DataSubject
from bridge.domain.record.entries import NAMESPACE
from bridge.domain.statements import bodies
from bridge.domain.statements.dispositions import BadBody, Reason, UnreadableBody
from bridge.domain.statements.fates import FailureFacts
from bridge.errors import FieldError, ValidationFailed
from schemas.xapi import NewPart, Part, fits_part

SORTABLE = frozenset({"failed_at", "reason"})
"""What letters can be sorted by."""

LARGEST_BODY = 8 * 2**20
"""Bytes of a body that the mirror keeps; of a larger one the queue alone has the body (a document ends at 16 MiB)."""

AGE = r"^[1-9][0-9]{0,5}[smhd]$"
"""How an age is written: a number of seconds, minutes, hours or days."""

LONG_AGO = datetime(1, 1, 1, tzinfo=UTC)

DEEPEST = 200
"""Levels of nesting that are shown; an answer is written with 254 at most."""

_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}


@dataclass(frozen=True, slots=True)
class Origin:
    """The origin of a message, so that a replay can put it back."""

    exchange: str
    routing_key: str
    correlation_id: str
    content_type: str | None = None
    content_encoding: str | None = None
    traceparent: str | None = None


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """A refused statement, or a whole message that could not be read."""

    body: bytes
    reason: Reason
    detail: str
    origin: Origin
    failed_at: datetime
    attempts: int = 1


@dataclass(frozen=True, slots=True)
class QueuedDeadLetter:
    """A dead letter as it lies in the queue; ``id`` is the same whenever this one is looked at.

    A replayed statement that fails again makes a letter with another id, since it failed at another time.
    """

    id: str
    letter: DeadLetter


class MirroredLetter(FailureFacts):
    """A document of ``dead_letters``: the facts of a letter beside its body."""

    _id: str
    exchange: str  # where it came from
    routing_key: str
    correlation_id: str | None
    content_type: str | None
    content_encoding: str | None
    attempts: int
    size: int  # bytes of the body
    about: list[str]  # identifier keys of whoever the statement or message is of
    owners: list[str]  # their tombstones
    named: list[str]  # tombstones of everybody it names
    statements: list[str]  # ids of the statements in it, in lower case
    order: dict[str, SortKey]  # ``failed_at`` and ``reason``
    copies: int  # how often the very same letter lies in the queue
    mirrored_at: datetime


class LetterBody(TypedDict):
    """A document of ``dead_letter_bodies``, apart so that a list reads none."""

    _id: str
    body: bytes


class WholeLetter(MirroredLetter):
    """A dead letter with its body; None when it was too large to keep."""

    body: bytes | None


@dataclass(frozen=True, slots=True)
class DeadLetterFilter:
    """A filter of dead letters: all that is given has to hold. Ages count from the failure, as ``AGE`` writes them."""

    ids: tuple[str, ...] | None = None
    reason: str | None = None
    older_than: str | None = None
    younger_than: str | None = None
    member_id: str | None = None


def with_id(letter: DeadLetter, message_id: str | None) -> QueuedDeadLetter:
    """Return a letter with its id, which follows from its message's id and from what it is."""
    place = f"{letter.origin.exchange}/{letter.origin.routing_key}"
    seed = f"{message_id}/{letter.failed_at.isoformat()}/{place}/{hashlib.sha256(letter.body).hexdigest()}"
    return QueuedDeadLetter(str(uuid.uuid5(NAMESPACE, f"letter/{seed}")), letter)


def failed_before(age: str | None, at: datetime) -> datetime | None:
    """Return when what has this age ``at`` a time failed; raises ``ValidationFailed`` for what is not an age."""
    if age is None:
        return None
    if not re.fullmatch(AGE, age):
        message = "Write an age as a number with s, m, h or d, for example 90m or 7d."
        raise ValidationFailed(message, field_errors=[FieldError("/older_than", "Age", message)])
    with suppress(OverflowError):
        return at - timedelta(**{_UNITS[age[-1]]: int(age[:-1])})
    return LONG_AGO


def mirrored(letter_in_queue: QueuedDeadLetter, secret: bytes, at: datetime) -> MirroredLetter:
    """Return what lists are made from of a letter: all but the body; ``secret`` keys the tombstones."""
    letter = letter_in_queue.letter
    statements = _statements_in(letter.body, letter.origin.content_encoding, letter.origin.content_type)
    owner_keys = list(dict.fromkeys(key for part in statements for key in _owners(part)))
    named_keys = (key for part in statements for person in anybody_in(part) for key in keys_of(person.agent))
    return {
        "_id": letter_in_queue.id,
        "reason": letter.reason.value,
        "detail": letter.detail,
        "exchange": letter.origin.exchange,
        "routing_key": letter.origin.routing_key,
        "correlation_id": letter.origin.correlation_id,
        "content_type": letter.origin.content_type,
        "content_encoding": letter.origin.content_encoding,
        "failed_at": letter.failed_at.isoformat(),
        "attempts": letter.attempts,
        "size": len(letter.body),
        "about": owner_keys,
        "owners": [identifiers.tombstone(secret, key) for key in owner_keys],
        "named": [identifiers.tombstone(secret, key) for key in dict.fromkeys((*owner_keys, *named_keys))],
        "statements": [part["id"].lower() for part in statements if fits_part("uuid", part.get("id"))],
        "order": {
            "failed_at": {"empty": False, "key": letter.failed_at.isoformat()},
            "reason": {"empty": False, "key": letter.reason.value},
        },
        "copies": 1,
        "mirrored_at": at,
    }


def redacted_body(letter: DeadLetter, subject: DataSubject) -> bytes | None:
    """Return the body of a letter without a person, or None when nothing is left.

    Their own statements and messages go whole. What cannot be read is as it was: nobody is found in it; what names the
    person and is nested too deep to be written again goes.
    """
    try:
        value = _decoded(letter.body, letter.origin.content_encoding, letter.origin.content_type)
    except BadBody:
        return letter.body
    return None if is_deep(value) else _without(value, letter, subject)


def _without(value: Any, letter: DeadLetter, subject: DataSubject) -> bytes | None:
    if isinstance(value, list):
        parts = cast("list[Any]", value)
        remaining = [_unnamed(part, subject, letter.failed_at) for part in parts if not _is_own(part, subject, letter)]
        return orjson.dumps(remaining) if remaining else None
    return None if _is_own(value, subject, letter) else orjson.dumps(_unnamed(value, subject, letter.failed_at))


def _is_own(part: Any, subject: DataSubject, letter: DeadLetter) -> bool:
    return any(_is_theirs(key, subject, letter.failed_at) for statement in _objects(part) for key in _owners(statement))


def _unnamed(part: Any, subject: DataSubject, at: datetime) -> Any:
    return without(part, lambda key: subject.is_key(key, at))


def _is_theirs(key: str, subject: DataSubject, at: datetime) -> bool:
    return key == identifiers.id_key(subject.member_id) or subject.is_key(key, at)


def visible_body(letter: Mapping[str, Any], *, reveal: bool) -> dict[str, Any]:
    """Return ``body`` and ``shown``: ``masked``, ``revealed``, ``unreadable``, or ``not_kept`` (too large).

    What is not JSON, or nested too deep, has no structure to show masked: it is shown only when revealed, as text.
    """
    if letter["body"] is None:
        return {"body": None, "shown": "not_kept"}
    try:
        value = _not_deep(_decoded(letter["body"], letter["content_encoding"], letter["content_type"]))
    except BadBody:
        text = letter["body"].decode("utf-8", "backslashreplace")
        return {"body": text, "shown": "revealed"} if reveal else {"body": None, "shown": "unreadable"}
    return {"body": value, "shown": "revealed"} if reveal else {"body": masked(value), "shown": "masked"}


def own_part(letter: Mapping[str, Any], subject: DataSubject) -> list[str] | None:
    """Return the JSON of each statement or message in a letter's body that is about a person, and nobody else.

    None where it cannot be told: the body was not kept, is not JSON, or is nested too deeply to be written.
    """
    if letter["body"] is None:
        return None
    try:
        parts = _objects(_decoded(letter["body"], letter["content_encoding"], letter["content_type"]))
        at = datetime.fromisoformat(letter["failed_at"])
        return [orjson.dumps(statement).decode() for statement in parts if _is_about(statement, subject, at)]
    except (BadBody, orjson.JSONEncodeError):
        return None


def mentions_of(letter: Mapping[str, Any], subject: DataSubject) -> list[dict[str, Any]]:
    """Return where in a letter that is another's a person is named, and how: nothing else of it is theirs."""
    if not letter:
        return []
    at = datetime.fromisoformat(letter["failed_at"])
    return [
        {"place": person.pointer, "named": alone(person.agent)}
        for statement in _statements_in(letter["body"] or b"", letter["content_encoding"], letter["content_type"])
        if not _is_about(statement, subject, at)
        for person in anybody_in(statement)
        if any(subject.is_key(key, at) for key in keys_of(person.agent))
    ]


def _is_about(part: Part, subject: DataSubject, at: datetime) -> bool:
    owners = set(_owners(part))
    return bool(owners) and all(_is_theirs(key, subject, at) for key in owners)


def _decoded(body: bytes, content_encoding: str | None, content_type: str | None) -> Any:
    return bodies.lenient(bodies.unpacked(body, LARGEST_BODY, content_encoding, content_type))


def _statements_in(body: bytes, content_encoding: str | None, content_type: str | None) -> list[NewPart]:
    """Return the statements or messages that a body holds, as far as it can be read."""
    try:
        return list(_objects(_decoded(body, content_encoding, content_type)))
    except BadBody:
        return []


def _not_deep(value: Any) -> Any:
    if is_deep(value, DEEPEST):
        raise UnreadableBody(f"at most {DEEPEST} levels of nesting were expected")
    return value


def _objects(value: Any) -> Iterator[NewPart]:
    """Yield the statement, or message, that a body is, or each of its array."""
    for item in cast("list[Any]", value) if isinstance(value, list) else [value]:
        if isinstance(item, dict):
            yield cast("dict[str, Any]", item)


def _owners(part: Part) -> Iterator[str]:
    """Yield the keys of those whose a statement, a member's message or an event (by its ``subject``) is."""
    for name in ("member_id", "subject"):
        if isinstance(part.get(name), str):
            yield identifiers.id_key(part[name])
    if isinstance(part.get("actor"), dict):  # the letter may be here because its actor is no Agent
        yield from keys_of(part["actor"])
