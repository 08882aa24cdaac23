"""A page of another LRS's answer to ``GET statements`` (xAPI Communication §2.1.3), each statement byte for byte."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

from bridge.domain.statements.bodies import decoded, is_array
from bridge.domain.statements.dispositions import BadBody, UnreadableBody
from bridge.domain.statements.json_parts import elements, members


@dataclass(frozen=True, slots=True)
class Result:
    """A StatementResult."""

    statements: list[bytes]  # as sent
    more: str  # the link to the next page; empty: none
    last_stored: str | None  # the last ``stored`` time
    consistent_through: str | None  # up to when the LRS vouches for being complete, if it says


def statement_result(body: bytes, consistent_through: str | None) -> Result:
    """Read a StatementResult; raises ``UnreadableBody`` or ``BodyTooLarge``.

    It is not looked into the statements: one that cannot be read is for whoever takes it to refuse, and ends no page.
    """
    page = members(body)
    more = _text(page.get("more", b'""'))
    if more is None or not is_array(page.get("statements", b"")):
        raise UnreadableBody("a StatementResult with statements, a list, and more, a text, was expected")
    statements = elements(page["statements"])
    last_stored = next(filter(None, map(_stored, reversed(statements))), None)
    return Result(statements, more, last_stored, consistent_through)


def _stored(statement: bytes) -> str | None:
    """Return when a statement was stored, if that can be read."""
    try:
        stored = _text(members(statement).get("stored", b"null"))
    except UnreadableBody:
        return None
    return stored if stored and moment(stored) else None


def moment(text: str) -> datetime | None:
    """Return an ISO 8601 time, without a zone in UTC, as xAPI has it; None for what is none."""
    try:
        time = datetime.fromisoformat(text)
        return time.astimezone(UTC) if time.tzinfo else time.replace(tzinfo=UTC)
    except (ValueError, OverflowError):
        return None


def _text(part: bytes) -> str | None:
    try:
        value = decoded(part)
    except BadBody:
        return None
    return value if isinstance(value, str) else None
