"""Decisions of the Register team on a case, and what the body sets for audits (R57)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Final, Literal

from bridge.domain.audit.cases import Move, State
from bridge.domain.events import AUDIT_RETURNED
from bridge.errors import FieldError


@dataclass(frozen=True, slots=True)
class AuditRules:
    """The rules that the body sets (R57): days to answer, and after a return, the rate of a sample, the outcomes."""

    due_days: int
    return_days: int
    rate: float
    outcomes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Decision:
    """A decision of the Register team; which of the rest belongs to it depends on ``decision``."""

    decision: str
    outcome: str | None = None
    feedback: str | None = None
    due_date: date | None = None


MOVES: Final = {
    "return": Move.RETURN,
    "close": Move.CLOSE,
    "withdraw": Move.WITHDRAW,
    "satisfied_elsewhere": Move.SATISFIED_ELSEWHERE,
}
EXTENSIONS: Final[Mapping[str, Literal["granted", "declined"]]] = {
    "grant_extension": "granted",
    "decline_extension": "declined",
}
DATED: Final = frozenset({"return", "grant_extension"})
ANNOUNCED: Final = {State.RETURNED: AUDIT_RETURNED}
"""Every other end of a submission is ``audit.closed``; the event's ``state`` says which."""


def errors_in(decision: Decision, outcomes: tuple[str, ...], today: date) -> Iterator[FieldError]:
    """Yield what a decision needs and lacks, or has and does not take."""
    name, outcome, day = decision.decision, decision.outcome, decision.due_date
    if name == "close" and outcome not in outcomes:
        yield FieldError.of_field("outcome", "Outcome", f"Closing needs one of: {', '.join(outcomes)}.")
    if name != "close" and outcome is not None:
        yield FieldError.of_field("outcome", "Outcome", "Only closing has an outcome: leave it out.")
    if name == "return" and not (decision.feedback or "").strip():
        message = "Returning needs feedback: say what the member is to change."
        yield FieldError.of_field("feedback", "Feedback", message)
    if name not in DATED and day is not None:
        message = "Only a return or an extension sets a due date: leave it out."
        yield FieldError.of_field("due_date", "Due date", message)
    if day is not None and day < today:
        yield FieldError.of_field("due_date", "Due date", "Give today or a later day.")
