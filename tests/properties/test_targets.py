"""Targets are lowered by whole days away, whichever way these are told (R57, R79: guidance alone)."""

from __future__ import annotations

from datetime import date, timedelta
from math import ceil

from hypothesis import given
from hypothesis import strategies as st

from bridge.domain.members.members import LeaveDays, MembershipYear
from bridge.domain.record.targets import days_away, pro_rata

YEAR = MembershipYear(date(2026, 4, 1), date(2027, 3, 31))
DAYS = st.integers(-400, 800).map(lambda days: YEAR.start + timedelta(days=days))
SPANS = st.tuples(DAYS, DAYS).map(lambda pair: (min(pair), max(pair)))


@given(st.lists(SPANS, max_size=4), st.none() | DAYS, st.integers(1, 10_000))
def test_a_target_is_lowered_by_the_share_of_days_away(
    spans: list[tuple[date, date]], since: date | None, amount: int
) -> None:
    """As counted day by day: a day that is away twice counts once, and the rest is rounded up."""
    leave: list[LeaveDays] = [{"from": first.isoformat(), "to": last.isoformat()} for first, last in spans]
    days = [YEAR.start + timedelta(days=number) for number in range(365)]
    before = since or YEAR.start
    away = sum(day < before or any(first <= day <= last for first, last in spans) for day in days)
    assert days_away(YEAR, since and since.isoformat(), leave) == away
    assert pro_rata(amount, 365, away) == ceil(amount * (365 - away) / 365)
