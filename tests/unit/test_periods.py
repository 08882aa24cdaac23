"""Periods and calendars: known days, words, and what is refused (R17-R19, R82)."""

from __future__ import annotations

from datetime import date

import pytest

from bridge.domain.members.members import MembershipCalendar, MembershipYear, check_periods

YEAR = MembershipYear(date(2025, 4, 1), date(2026, 3, 31))
LEAP_DAY = MembershipCalendar(renewal=date(2024, 2, 29))
LISTED_YEARS = MembershipCalendar(
    periods=(MembershipYear(date(2025, 1, 1), date(2025, 6, 30)), MembershipYear(date(2023, 1, 1), date(2023, 12, 31)))
)


def test_a_period_is_known_by_its_start_and_called_by_its_days():
    """The id is the start, the label says both days."""
    assert (YEAR.id, YEAR.label) == ("2025-04-01", "1 April 2025 to 31 March 2026")


@pytest.mark.parametrize(
    ("today", "numbers", "text"),
    [
        (
            date(2025, 7, 29),
            (32.9, 120, 245),
            "Day 120 of 365: 33% of your membership year has passed, 245 days remain.",
        ),
        (date(2025, 4, 1), (0.3, 1, 364), "Day 1 of 365: 0% of your membership year has passed, 364 days remain."),
        (date(2026, 3, 30), (99.7, 364, 1), "Day 364 of 365: 99% of your membership year has passed, 1 day remains."),
        (date(2026, 3, 31), (100.0, 365, 0), "Day 365 of 365: this is the last day of your membership year."),
        (date(2026, 4, 1), (100.0, 365, 0), "This membership year ended on 31 March 2026."),
        (date(2025, 3, 31), (0.0, 0, 365), "This membership year starts on 1 April 2025, in 1 day."),
    ],
)
def test_elapsed_time_is_told_in_numbers_and_words(today: date, numbers: tuple[float, int, int], text: str):
    """R18: before, during and after the period, both ways of saying it agree."""
    elapsed = YEAR.elapsed(today)
    assert (elapsed.percent, elapsed.days_elapsed, elapsed.days_remaining) == numbers
    assert (elapsed.days_total, elapsed.as_of, elapsed.text) == (365, today, text)


def test_a_long_period_is_not_fully_elapsed_while_a_day_remains():
    """Rounding does not turn 9,999 days of 10,000 into all of them."""
    assert MembershipYear(date(1990, 1, 1), date(2017, 5, 18)).elapsed(date(2017, 5, 17)).percent == 99.9


@pytest.mark.parametrize(
    ("day", "start", "end"),
    [
        (date(2024, 2, 29), date(2024, 2, 29), date(2025, 2, 27)),
        (date(2025, 2, 28), date(2025, 2, 28), date(2026, 2, 27)),
        (date(2028, 2, 28), date(2027, 2, 28), date(2028, 2, 28)),
        (date(2021, 3, 1), date(2021, 2, 28), date(2022, 2, 27)),
    ],
)
def test_a_renewal_on_29_february_falls_on_the_28th_in_common_years(day: date, start: date, end: date):
    """The leap day's anniversary in a common year is 28 February."""
    assert LEAP_DAY.period_for(day) == MembershipYear(start, end)


@pytest.mark.parametrize(
    ("day", "start", "end"),
    [
        (date(2023, 5, 1), date(2023, 1, 1), date(2023, 12, 31)),
        (date(2024, 5, 1), date(2024, 1, 1), date(2024, 12, 31)),
        (date(2022, 5, 1), date(2022, 1, 1), date(2022, 12, 31)),
        (date(2025, 7, 1), date(2025, 7, 1), date(2026, 6, 30)),
        (date(2027, 6, 30), date(2026, 7, 1), date(2027, 6, 30)),
    ],
)
def test_listed_periods_go_on_in_years_on_both_sides(day: date, start: date, end: date):
    """R82: the CRM's periods hold where they are, a gap is a period, and years follow from the outer ones."""
    assert LISTED_YEARS.period_for(day) == MembershipYear(start, end)


@pytest.mark.parametrize(
    ("day", "start", "end"),
    [
        (date(2025, 3, 31), date(2024, 6, 1), date(2025, 3, 31)),
        (date(2025, 6, 1), date(2025, 4, 1), date(2026, 3, 31)),
        (date(2026, 4, 1), date(2026, 4, 1), date(2026, 5, 31)),
        (date(2026, 6, 1), date(2026, 6, 1), date(2027, 5, 31)),
    ],
)
def test_a_kept_year_cuts_off_those_it_reaches_into(day: date, start: date, end: date):
    """R82: the renewal moved from April to June, and one year of before stands."""
    assert MembershipCalendar(renewal=date(2020, 6, 1), fixed=(YEAR,)).period_for(day) == MembershipYear(start, end)


def test_the_ends_of_the_calendar_are_cut_off():
    """The first and last day that Python knows have a period too."""
    calendar = MembershipCalendar(renewal=date(2025, 4, 1))
    assert calendar.period_for(date.min) == MembershipYear(date.min, date(1, 3, 31))
    assert calendar.period_for(date.max) == MembershipYear(date(9999, 4, 1), date.max)


def test_a_period_is_found_by_its_id_only():
    """A day inside a period, another spelling of a date, and nonsense are not ids."""
    calendar = MembershipCalendar(renewal=date(2025, 4, 1))
    assert calendar.period_by_id("2025-04-01") == YEAR
    assert [calendar.period_by_id(x) for x in ("2025-04-02", "20250401", "2025-W14-2", "current", "")] == [None] * 5


def test_periods_between_two_days_come_newest_first():
    """Every period that has one of the days is listed, and none when the days are swapped."""
    calendar = MembershipCalendar(renewal=date(2025, 4, 1))
    assert [p.id for p in calendar.between(date(2024, 3, 31), date(2025, 4, 1))] == [
        "2025-04-01",
        "2024-04-01",
        "2023-04-01",
    ]
    assert calendar.between(date(2025, 4, 1), date(2024, 4, 1)) == []


def test_overlapping_periods_are_refused_by_number_and_name():
    """The message says which of the periods given overlap."""
    late, early = (
        MembershipYear(date(2025, 12, 31), date(2026, 12, 30)),
        MembershipYear(date(2025, 1, 1), date(2025, 12, 31)),
    )
    with pytest.raises(ValueError, match=r"period 1 \(31 December 2025 .* overlaps period 2 \(1 January 2025"):
        check_periods([late, early])


def test_a_backwards_period_is_refused_by_number_and_name():
    """A period that ends before it starts is named."""
    with pytest.raises(ValueError, match=r"period 2 \(2 January 2027 to 1 January 2027\) ends before it starts"):
        MembershipCalendar(periods=(YEAR, MembershipYear(date(2027, 1, 2), date(2027, 1, 1))))


@pytest.mark.parametrize(("renewal", "periods"), [(None, ()), (date(2025, 4, 1), (YEAR,))])
def test_a_calendar_needs_a_renewal_date_or_periods(renewal: date | None, periods: tuple[MembershipYear, ...]):
    """Neither leaves the year open, both could contradict each other."""
    with pytest.raises(ValueError, match="either a renewal date or at least one period"):
        MembershipCalendar(renewal, periods)
