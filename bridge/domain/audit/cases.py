"""A case of the Register Audit: its states and moves (decision 3), and the decisions of the Register team (R57)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from enum import StrEnum
from typing import Final, Literal, NotRequired, TypedDict

from bridge.domain.events import AUDIT_CLOSED, AUDIT_RETURNED, AUDIT_SELECTED, AUDIT_SUBMITTED, CaseData, EventType
from bridge.domain.list_keys import SortKey, order_key
from bridge.domain.members.members import AuditYear, Freeze, MembershipYear, StoredMember
from bridge.errors import Conflict, FieldError


class State(StrEnum):
    """The state of a case."""

    SELECTED = "selected"
    SUBMITTED = "submitted"
    RETURNED = "returned"
    CLOSED = "closed"
    WITHDRAWN = "withdrawn"
    SATISFIED_ELSEWHERE = "satisfied_elsewhere"


class Move(StrEnum):
    """A step that moves a case on: the member submits, the Register team does the rest."""

    SUBMIT = "submit"
    RETURN = "return"
    CLOSE = "close"
    WITHDRAW = "withdraw"
    SATISFIED_ELSEWHERE = "satisfied_elsewhere"


class StoredDeclaration(TypedDict):
    """A declaration that a member makes with a submission."""

    id: str
    text: str  # as the member reads it
    accepted_at: datetime | None  # None: still to be accepted, and not stored


class StoredExtension(TypedDict):
    """A request for a later due date."""

    until: str  # YYYY-MM-DD
    reason: str  # the member's words
    asked_at: datetime
    decision: Literal["granted", "declined"] | None  # None until the Register team has decided
    decided_at: NotRequired[datetime]
    feedback: NotRequired[str | None]


class CaseStep(TypedDict):
    """A line of a case's history."""

    move: str  # a ``Move``, ``select``, ``ask_extension``, or a decision on an extension
    by: str  # the token subject of who did it
    at: datetime


class CaseDays(TypedDict):
    """The days that a case is of; they stay, whatever the member's calendar becomes."""

    period_id: str  # the year as it was when the case was opened
    start: str  # YYYY-MM-DD
    end: str


class StoredCase(CaseDays):
    """A document of ``audit_cases``."""

    _id: str
    member_id: str
    state: str  # a ``State``
    open: NotRequired[bool]  # True while the case goes on; a member has one such case at most
    due_date: str  # YYYY-MM-DD
    reminded: list[int]  # the reminders behind it, in days before the due date
    sample_id: str | None  # the sample that it was drawn in
    selected_at: datetime
    submitted_at: datetime | None
    returned_at: datetime | None
    closed_at: datetime | None
    receipt: str | None  # the id of the last submission
    feedback: str | None
    outcome: str | None
    declarations: list[StoredDeclaration]
    extensions: list[StoredExtension]
    history: list[CaseStep]
    version: int  # the ETag's
    order: dict[str, SortKey]  # ``selected_at`` and ``due_date``


@dataclass(frozen=True, slots=True)
class CaseFilter:
    """A filter of cases: all that is given has to hold; ``due_before`` is the first day that is too late."""

    state: str | None = None
    member_id: str | None = None
    due_before: date | None = None


SORTABLE: Final = ("due_date", "selected_at")
"""What a list of cases can be sorted by."""

_ENDS: Final = {Move.WITHDRAW: State.WITHDRAWN, Move.SATISFIED_ELSEWHERE: State.SATISFIED_ELSEWHERE}
_NEXT_STATES: Final[Mapping[State, Mapping[Move, State]]] = {
    State.SELECTED: {Move.SUBMIT: State.SUBMITTED, **_ENDS},
    State.SUBMITTED: {Move.RETURN: State.RETURNED, Move.CLOSE: State.CLOSED, **_ENDS},
    State.RETURNED: {Move.SUBMIT: State.SUBMITTED, **_ENDS},
}

OPEN: Final = frozenset(_NEXT_STATES)
"""States of a case that goes on: a member has at most one such case."""

AWAITED: Final = frozenset({State.SELECTED, State.RETURNED})
"""States in which the member has something to send by the due date."""

FROZEN: Final = frozenset({State.SUBMITTED})
"""States in which the submitted scope is frozen (R56)."""

READABLE: Final = frozenset({State.SUBMITTED})
"""States in which the Register team may read the snapshot: pressing submit is what lets them (R60, R62)."""

REMIND_AT: Final = (30, 7, 3)
"""Days before the due date on which the member is reminded (api.md, ``audit.due``)."""


def after(state: str, move: Move) -> State:
    """Return the state that a move leads to; raises ``Conflict`` naming the moves there are instead."""
    possible = _NEXT_STATES.get(State(state), {})
    if move not in possible:
        choices = ", ".join(possible) or "none: it has ended"
        raise Conflict(f"A case that is {state} cannot take the step {move}; possible now: {choices}.")
    return possible[move]


def is_open(case: StoredCase) -> bool:
    """Whether a case goes on."""
    return case["state"] in OPEN


def pending_extension(case: StoredCase) -> StoredExtension | None:
    """Return the extension that the member asked for and nobody has decided on, or None."""
    return next((extension for extension in case["extensions"] if extension["decision"] is None), None)


def reminders_passed(due_date: date, today: date) -> list[int]:
    """Return those of the reminders before a due date that are already behind: they are not sent late."""
    return [days for days in REMIND_AT if due_date - timedelta(days=days) <= today]


def reminder_due(due_date: date, reminded: Iterable[int], today: date) -> int | None:
    """Return the reminder to send today, in days before the due date: the latest alone, and None past that date."""
    passed = reminders_passed(due_date, today)
    latest = min(passed, default=None)
    return latest if latest is not None and today <= due_date and latest not in set(reminded) else None


def new_case(
    case_id: str,
    member_id: str,
    period: MembershipYear,
    due_date: date,
    *,
    by: str,
    at: datetime,
    sample_id: str | None,
    today: date,
) -> StoredCase:
    """Make a case: of one membership year, by its days, so that a calendar that moves later does not move the case."""
    case: StoredCase = {
        "_id": case_id,
        "member_id": member_id,
        **case_days(period),
        "state": State.SELECTED.value,
        "open": True,
        "due_date": "",
        "reminded": [],
        "sample_id": sample_id,
        "selected_at": at,
        "submitted_at": None,
        "returned_at": None,
        "closed_at": None,
        "receipt": None,
        "feedback": None,
        "outcome": None,
        "declarations": [],
        "extensions": [],
        "history": [step("select", by, at)],
        "version": 1,
        "order": {"selected_at": order_key(at.isoformat())},
    }
    return with_due_date(case, due_date, today)


def step(move: str, by: str, at: datetime) -> CaseStep:
    """Make a line of a case's history; ``by`` is the token subject of who did it."""
    return {"move": move, "by": by, "at": at}


def with_step(case: StoredCase, move: str, by: str, at: datetime) -> StoredCase:
    """Return a case with one more line in its history."""
    return {**case, "history": [*case["history"], step(move, by, at)]}


def submitted(case: StoredCase, receipt: str, declarations: list[StoredDeclaration], at: datetime) -> StoredCase:
    """Return a case once its member has submitted (R55)."""
    case_after: StoredCase = {**case, "submitted_at": at, "receipt": receipt, "declarations": declarations}
    return {**with_step(case_after, Move.SUBMIT, case["member_id"], at), "state": State.SUBMITTED.value}


def returned(case: StoredCase, due_date: date, by: str, at: datetime, today: date) -> StoredCase:
    """Return a case once the Register team has given it back, to be submitted again by a day."""
    case_after: StoredCase = {**with_due_date(case, due_date, today), "returned_at": at}
    return {**with_step(case_after, Move.RETURN, by, at), "state": State.RETURNED.value}


def ended(case: StoredCase, move: Move, outcome: str | None, by: str, at: datetime) -> StoredCase:
    """Return a case once it goes on no more."""
    case_after: StoredCase = {**with_step(case, move, by, at), "closed_at": at, "outcome": outcome}
    case_after.pop("open", None)
    return {**case_after, "state": after(case["state"], move).value}


def event_data(case: StoredCase) -> CaseData:
    """Return what an ``audit.…`` event tells of a case: ids, states and dates."""
    return {
        "case_id": case["_id"],
        "period_id": case["period_id"],
        "state": case["state"],
        "due_date": case["due_date"],
        "receipt": case["receipt"],
    }


def with_due_date(case: StoredCase, due_date: date, today: date) -> StoredCase:
    """Return a case with another due date, and what follows from it."""
    order = {**case["order"], "due_date": order_key(due_date.isoformat())}
    return {**case, "due_date": due_date.isoformat(), "reminded": reminders_passed(due_date, today), "order": order}


def due_of(case: StoredCase) -> date:
    """Return a case's due date."""
    return date.fromisoformat(case["due_date"])


def case_days(period: MembershipYear) -> CaseDays:
    """Return the days of a period as a case has them."""
    return {"period_id": period.id, "start": period.start.isoformat(), "end": period.end.isoformat()}


def year_of(case: CaseDays) -> MembershipYear:
    """Return the days of a case as a membership year."""
    return MembershipYear(date.fromisoformat(case["start"]), date.fromisoformat(case["end"]))


def case_freeze(case: StoredCase, at: datetime) -> Freeze:
    """Return the freeze of a case's days, from a time on."""
    return {
        "case_id": case["_id"],
        "period_id": case["period_id"],
        "start": case["start"],
        "end": case["end"],
        "since": at,
    }


def overlap(days: CaseDays, case: CaseDays) -> bool:
    """Say whether a case is of some of these days: years may have moved since it was opened."""
    return case["start"] <= days["end"] and case["end"] >= days["start"]


def years_with(member: StoredMember, case: StoredCase) -> list[AuditYear]:
    """Return a member's years that stand, with that of a case that opens (R82, docs/decisions/0019)."""
    return [*(member.get("in_audit") or ()), {"case_id": case["_id"], "start": case["start"], "end": case["end"]}]


def years_without(member: StoredMember, case: StoredCase) -> list[AuditYear]:
    """Return a member's years that stand, without that of a case that ends."""
    return [year for year in member.get("in_audit") or () if year["case_id"] != case["_id"]]


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


MOVES: Final = {move.value: move for move in Move if move is not Move.SUBMIT}
EXTENSIONS: Final[Mapping[str, Literal["granted", "declined"]]] = {
    "grant_extension": "granted",
    "decline_extension": "declined",
}
DATED: Final = frozenset({"return", "grant_extension"})
_ANNOUNCEMENTS: Final = {
    State.SELECTED: AUDIT_SELECTED,
    State.SUBMITTED: AUDIT_SUBMITTED,
    State.RETURNED: AUDIT_RETURNED,
}


def announcement(state: State) -> EventType[CaseData]:
    """Return the event that tells of a case in a state; each end is ``audit.closed``, and its data says which."""
    return _ANNOUNCEMENTS.get(state, AUDIT_CLOSED)


def errors_in(decision: Decision, outcomes: tuple[str, ...], today: date) -> Iterator[FieldError]:
    """Yield what a decision needs and lacks, or has and does not take."""
    name, outcome, day = decision.decision, decision.outcome, decision.due_date
    if name == "close" and outcome not in outcomes:
        yield FieldError("/outcome", "Outcome", f"Closing needs one of: {', '.join(outcomes)}.")
    if name != "close" and outcome is not None:
        yield FieldError("/outcome", "Outcome", "Only closing has an outcome: leave it out.")
    if name == "return" and not (decision.feedback or "").strip():
        message = "Returning needs feedback: say what the member is to change."
        yield FieldError("/feedback", "Feedback", message)
    if name not in DATED and day is not None:
        message = "Only a return or an extension sets a due date: leave it out."
        yield FieldError("/due_date", "Due date", message)
    if day is not None and day < today:
        yield FieldError("/due_date", "Due date", "Give today or a later day.")
