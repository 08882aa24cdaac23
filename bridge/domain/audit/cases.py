"""A case of the Register Audit: the states it goes through and what may be done in each (decision 3)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import date, datetime, timedelta
from enum import StrEnum
from typing import Any, Final

from bridge.domain.record.periods import Period
from bridge.domain.record.records import order_key
from bridge.errors import Conflict

Case = Mapping[str, Any]


class State(StrEnum):
    """Where a case stands."""

    SELECTED = "selected"
    SUBMITTED = "submitted"
    RETURNED = "returned"
    CLOSED = "closed"
    WITHDRAWN = "withdrawn"
    SATISFIED_ELSEWHERE = "satisfied_elsewhere"


class Move(StrEnum):
    """What moves a case on: the member submits, the Register team does the rest."""

    SUBMIT = "submit"
    RETURN = "return"
    CLOSE = "close"
    WITHDRAW = "withdraw"
    SATISFIED_ELSEWHERE = "satisfied_elsewhere"


_ENDS: Final = {Move.WITHDRAW: State.WITHDRAWN, Move.SATISFIED_ELSEWHERE: State.SATISFIED_ELSEWHERE}
_MOVES: Final[Mapping[State, Mapping[Move, State]]] = {
    State.SELECTED: {Move.SUBMIT: State.SUBMITTED, **_ENDS},
    State.SUBMITTED: {Move.RETURN: State.RETURNED, Move.CLOSE: State.CLOSED, **_ENDS},
    State.RETURNED: {Move.SUBMIT: State.SUBMITTED, **_ENDS},
}

OPEN: Final = frozenset(_MOVES)
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
    possible = _MOVES.get(State(state), {})
    if move not in possible:
        choices = ", ".join(possible) or "none: it has ended"
        raise Conflict(f"A case that is {state} cannot take the step {move}; possible now: {choices}.")
    return possible[move]


def is_open(case: Case) -> bool:
    """Whether a case goes on."""
    return case["state"] in OPEN


def pending_extension(case: Case) -> dict[str, Any] | None:
    """Return the extension that the member asked for and nobody has decided on, or None."""
    return next((asked for asked in case["extensions"] if asked["decision"] is None), None)


def reminders_passed(due: date, today: date) -> list[int]:
    """Return those of the reminders before a due date that are already behind: they are not sent late."""
    return [days for days in REMIND_AT if due - timedelta(days=days) <= today]


def reminder_due(due: date, reminded: Iterable[int], today: date) -> int | None:
    """Return the reminder to send today, in days before the due date, or None.

    After a standstill only the latest one is sent; past the due date, none.
    """
    passed = reminders_passed(due, today)
    latest = min(passed, default=None)
    return latest if latest is not None and today <= due and latest not in set(reminded) else None


def new_case(
    case_id: str,
    member_id: str,
    period: Period,
    due: date,
    *,
    by: str,
    at: datetime,
    sample_id: str | None,
    today: date,
) -> dict[str, Any]:
    """Make a case: of one membership year, by its days, so that a calendar that moves later does not move the case."""
    case: dict[str, Any] = {
        "_id": case_id,
        "member_id": member_id,
        "period_id": period.id,
        "start": period.start.isoformat(),
        "end": period.end.isoformat(),
        "state": State.SELECTED.value,
        "open": True,
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
    dated = due_on(due, today)
    case["order"]["due_date"] = dated.pop("order.due_date")
    return {**case, **dated}


def step(move: str, by: str, at: datetime) -> dict[str, Any]:
    """Make a line of a case's history; ``by`` is the token subject of who did it."""
    return {"move": move, "by": by, "at": at}


def due_on(due: date, today: date) -> dict[str, Any]:
    """Return the fields of a case that its due date decides."""
    text = due.isoformat()
    return {"due_date": text, "reminded": reminders_passed(due, today), "order.due_date": order_key(text)}


def due_of(case: Case) -> date:
    """Return a case's due date."""
    return date.fromisoformat(case["due_date"])


def event_data(case: Mapping[str, Any]) -> dict[str, Any]:
    """Return what an ``audit.…`` event says of a case: ids, states and dates."""
    names = ("period_id", "state", "due_date", "receipt")
    return {"case_id": case["_id"], **{name: case[name] for name in names}}


def overlap(days: Mapping[str, Any], case: Mapping[str, Any]) -> bool:
    """Say whether a case is of some of the days ``start`` to ``end``: years may have moved since it was opened."""
    return case["start"] <= days["end"] and case["end"] >= days["start"]


def years_with(member: Mapping[str, Any], case: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return a member's years that stand, with that of a case that opens (R82, docs/decisions/0019)."""
    return [*(member.get("in_audit") or ()), {"case_id": case["_id"], "start": case["start"], "end": case["end"]}]


def years_without(member: Mapping[str, Any], case: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return a member's years that stand, without that of a case that ends."""
    return [year for year in member.get("in_audit") or () if year["case_id"] != case["_id"]]
