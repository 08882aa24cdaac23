"""Dispositions: how a statement's journey ends, one each, with reasons from closed lists (api.md, AMQP in).

A body that is not taken is an error with its reason, ``BadBody``.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import ClassVar, Literal

Via = Literal["amqp", "http", "pull"]
"""How a statement came: from the exchange, over HTTP to the LRS, or by ``cpd-bridge pull``."""


class Disposition(StrEnum):
    """The disposition of a statement."""

    RECORDED = "recorded"
    MERGED = "merged"
    DUPLICATE = "duplicate"
    IGNORED = "ignored"
    HELD = "held"
    PARKED = "parked"
    WITHDRAWN = "withdrawn"
    DEAD_LETTERED = "dead-lettered"


class Reason(StrEnum):
    """Why a statement was ignored or dead-lettered."""

    NOT_COMPLETED = "not_completed"
    NOT_CATALOGUE = "not_catalogue"
    BEFORE_GO_LIVE = "before_go_live"
    VERB = "verb"
    SUB_ACTIVITY = "sub_activity"
    ERASED = "erased"

    NOT_JSON = "not_json"
    TOO_LARGE = "too_large"
    INVALID_STATEMENT = "invalid_statement"
    CONFLICT = "conflict"
    FUTURE_TIMESTAMP = "future_timestamp"
    EXHAUSTED = "exhausted"


IGNORE_REASONS = frozenset(
    {
        Reason.NOT_COMPLETED,
        Reason.NOT_CATALOGUE,
        Reason.BEFORE_GO_LIVE,
        Reason.VERB,
        Reason.SUB_ACTIVITY,
        Reason.ERASED,
    }
)
DEAD_LETTER_REASONS = frozenset(Reason) - IGNORE_REASONS


LEDGER_DISPOSITIONS = tuple(
    disposition for disposition in Disposition if disposition not in {Disposition.DUPLICATE, Disposition.DEAD_LETTERED}
)
"""Dispositions of the rows of the ledger: a duplicate has the row of the first, a dead letter has none."""


def possible() -> Iterator[tuple[Disposition, Reason | None]]:
    """Yield every way in which a statement's journey can end."""
    reasons = {Disposition.IGNORED: IGNORE_REASONS, Disposition.DEAD_LETTERED: DEAD_LETTER_REASONS}
    for disposition in Disposition:
        yield from ((disposition, reason) for reason in sorted(reasons.get(disposition, ())) or [None])


@dataclass(frozen=True, slots=True)
class Outcome:
    """A statement's disposition; ``detail`` explains a dead letter and never quotes the statement."""

    disposition: Disposition
    reason: Reason | None = None
    detail: str = ""
    entry_id: str | None = None
    member_id: str | None = None

    @classmethod
    def ignored(cls, reason: Reason) -> Outcome:
        """Acknowledged, kept in the ledger, and nothing more (R28, R31)."""
        return cls(Disposition.IGNORED, reason)

    @classmethod
    def dead(cls, reason: Reason, detail: str) -> Outcome:
        """Put aside for a person to look at."""
        return cls(Disposition.DEAD_LETTERED, reason, detail)


class BadBody(Exception):
    """A body that is not taken: ``reason`` is that of its dead letter; the text says what was expected."""

    reason: ClassVar[Reason]


class UnreadableBody(BadBody):
    """The body is not JSON in a known encoding; the text says what was expected and quotes nothing."""

    reason = Reason.NOT_JSON


class BodyTooLarge(BadBody):
    """The body, or what it unpacks to, or the number of statements, is over the limit."""

    reason = Reason.TOO_LARGE
