"""A stored member's membership years, and the days of them that are frozen (R56, R82)."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date

from bridge.domain.members.members import Freeze, PeriodDays, StoredMember
from bridge.domain.record.periods import MembershipCalendar, MembershipYear


def calendar_of(member: StoredMember) -> MembershipCalendar:
    """Return the membership years of a member; the year of an audit case that goes on stands as it was (R82)."""
    renewal = member.get("renewal_date")
    listed, in_audit = _periods(member.get("periods")), _periods(member.get("in_audit"))
    return MembershipCalendar(date.fromisoformat(renewal) if renewal else None, listed, in_audit)


def frozen_on(member: StoredMember, day: date) -> Freeze | None:
    """Return the freeze that covers a day of a member, or None (R56)."""
    text = day.isoformat()
    return next((freeze for freeze in member.get("frozen") or () if freeze["start"] <= text <= freeze["end"]), None)


def frozen_during(member: StoredMember, first: str, last: str) -> Freeze | None:
    """Return the freeze that covers any of these days (YYYY-MM-DD, both inclusive), or None (decision 1)."""
    freezes = member.get("frozen") or ()
    return next((freeze for freeze in freezes if first <= freeze["end"] and last >= freeze["start"]), None)


def frozen_period_ids(member: StoredMember) -> list[str]:
    """Return the ids of the periods of a member that are frozen."""
    return [freeze["period_id"] for freeze in member.get("frozen") or ()]


def _periods(rows: Iterable[PeriodDays] | None) -> tuple[MembershipYear, ...]:
    return tuple(MembershipYear(date.fromisoformat(row["start"]), date.fromisoformat(row["end"])) for row in rows or ())
