"""Message bodies: what may be wrong with one as a whole."""

from __future__ import annotations

from typing import ClassVar, Final

from bridge.domain.statements.dispositions import Reason

MOST_UNFOLDED: Final = 64 * 2**20
"""Bytes of memory that a JSON text may become: 8 MB of brackets would become 400."""

UNFOLDED: Final = {b"[": 96, b"{": 250, b",": 80}
"""What opens a value, or is before the next → bytes that the value takes in memory, measured."""

FEWER: Final = "a body of fewer values was expected"

MOST_STATEMENTS = 500
"""Statements that one message may hold (api.md, AMQP in)."""


class BadBody(Exception):
    """A body that is not taken: ``reason`` is that of its dead letter; the text says what was expected."""

    reason: ClassVar[Reason]


class UnreadableBody(BadBody):
    """The body is not JSON in a known encoding; the text says what was expected and quotes nothing."""

    reason = Reason.NOT_JSON


class BodyTooLarge(BadBody):
    """The body, or what it unpacks to, or the number of statements, is over the limit."""

    reason = Reason.TOO_LARGE


def is_heavy(body: bytes) -> bool:
    """Say whether a JSON text has so many values that they would fill the memory; marks in strings are counted, too."""
    return len(body) + sum(size * body.count(mark) for mark, size in UNFOLDED.items()) > MOST_UNFOLDED
