"""Actions that a member has in a period now, and why not, so that a portal can explain a disabled button (R26, R54)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, TypedDict

from bridge.domain.audit.cases import AWAITED, State, StoredCase
from bridge.domain.members.members import MembershipYear

ActionName = Literal["log_activity", "add_comment", "export_pdf", "export_zip", "submit_for_review"]
ActionReason = Literal["not_selected", "already_submitted", "record_frozen"]


class PeriodAction(TypedDict):
    """Something that a member may do with a period; ``reason`` says why it is not possible now, else None."""

    name: ActionName
    enabled: bool
    reason: ActionReason | None


def period_actions(period: MembershipYear, *, frozen: bool, cases: Sequence[StoredCase]) -> list[PeriodAction]:
    """Return ``{name, enabled, reason}`` for each action; ``cases`` are the member's audit cases, newest first."""
    closing_reason: ActionReason | None = "record_frozen" if frozen else None
    refusals: dict[ActionName, ActionReason | None] = {
        "log_activity": closing_reason,
        "add_comment": closing_reason,
        "export_pdf": None,
        "export_zip": None,
        "submit_for_review": why_not_submit(period, cases),
    }
    return [{"name": name, "enabled": reason is None, "reason": reason} for name, reason in refusals.items()]


def why_not_submit(period: MembershipYear, cases: Sequence[StoredCase]) -> ActionReason | None:
    """Return the reason why a period cannot be submitted for review, or None when it can (R54).

    A case is of days, which the member's years may have moved over since (R82): each year with one of them can.
    """
    first, last = period.start.isoformat(), period.end.isoformat()
    states = [case["state"] for case in cases if case["start"] <= last and case["end"] >= first]
    if any(state in AWAITED for state in states):
        return None
    return "already_submitted" if State.SUBMITTED in states else "not_selected"
