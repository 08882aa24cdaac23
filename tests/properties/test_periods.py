"""Whatever the renewal date or the CRM's periods: each day has one period, and periods follow without gap (R82)."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from bridge.domain.members.members import MembershipCalendar, MembershipYear

DAY = timedelta(days=1)
days = st.dates() | st.dates(date(2023, 2, 20), date(2025, 3, 10)) | st.sampled_from([date.min, date.max])
renewals = days | st.integers(1, 9999).map(lambda year: date(year, 2, 28) + DAY)


@st.composite
def listed(draw: st.DrawFn) -> tuple[MembershipYear, ...]:
    """Up to four periods in any order, some next to each other and some with a gap between."""
    bounds = sorted(draw(st.sets(days, min_size=2, max_size=8)))
    pairs = list(zip(bounds[::2], bounds[1::2], strict=False))
    return tuple(draw(st.permutations([MembershipYear(start, end) for start, end in pairs])))


fixed = st.just(()) | listed()
calendars = st.builds(MembershipCalendar, renewal=renewals, fixed=fixed) | st.builds(
    MembershipCalendar, periods=listed(), fixed=fixed
)


@given(calendars, days)
def test_every_day_is_in_its_period_and_no_other(calendar: MembershipCalendar, day: date):
    """The period of a day contains it, is the period of both its own ends, and is found again by its id."""
    period = calendar.period_for(day)
    assert period.contains(day)
    assert calendar.period_for(period.start) == calendar.period_for(period.end) == period
    assert calendar.period_by_id(period.id) == period


@given(calendars, days)
def test_periods_touch(calendar: MembershipCalendar, day: date):
    """The next period starts on the day after this one ends, and the one before ends on the eve of its start."""
    period = calendar.period_for(day)
    if period.end < date.max:
        assert calendar.period_for(period.end + DAY).start == period.end + DAY
    if period.start > date.min:
        assert calendar.period_for(period.start - DAY).end == period.start - DAY


@given(listed())
def test_listed_periods_stay_as_they_are(periods: tuple[MembershipYear, ...]):
    """What the CRM lists is never cut or joined."""
    calendar = MembershipCalendar(periods=periods)
    assert all(calendar.period_for(period.start) == period for period in periods)


@given(calendars, days)
def test_kept_periods_stay_and_the_years_around_them_give_way(calendar: MembershipCalendar, day: date):
    """A kept period is never cut or joined, and any other lies within the year that there would be without it."""
    period, year = calendar.period_for(day), replace(calendar, fixed=()).period_for(day)
    assert all(calendar.period_for(kept_period.start) == kept_period for kept_period in calendar.fixed)
    assert period in calendar.fixed or year.start <= period.start <= period.end <= year.end


@given(renewals, days)
def test_a_renewal_year_starts_on_the_anniversary(renewal: date, day: date):
    """Each year starts on the renewal's day and month, or on 28 February for a leap day; only year 1 may be cut."""
    start = MembershipCalendar(renewal=renewal).period_for(day).start
    same = (start.month, start.day) == (renewal.month, renewal.day)
    assert same or start == date.min or (renewal.month, renewal.day, start.month, start.day) == (2, 29, 2, 28)


@given(calendars, st.dates(date(1990, 1, 1), date(2040, 1, 1)), st.integers(0, 5000))
def test_between_covers_the_days_without_gap(calendar: MembershipCalendar, first: date, length: int):
    """From the newest to the oldest each period touches the next, and together they hold every day asked for."""
    last = first + timedelta(days=length)
    periods = calendar.between(first, last)
    assert periods[0].contains(last)
    assert periods[-1].contains(first)
    assert all(newer.start - DAY == older.end for newer, older in pairwise(periods))


@given(calendars, days, days)
def test_elapsed_adds_up(calendar: MembershipCalendar, day: date, today: date):
    """R18: passed and remaining days make the whole, and the percentage is 0 or 100 only outside or at the end."""
    period = calendar.period_for(day)
    elapsed = period.elapsed(today)
    assert elapsed.days_elapsed + elapsed.days_remaining == elapsed.days_total
    assert 0 <= elapsed.percent <= 100
    assert (elapsed.percent == 100) == (today >= period.end)
    assert (elapsed.days_elapsed > 0) == (today >= period.start)
