"""Members, their membership years (R1, R17-R19, R82), and what of these is frozen (R56)."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from functools import lru_cache
from itertools import pairwise
from operator import attrgetter
from typing import NotRequired, TypedDict

from dateutil.relativedelta import relativedelta

from bridge.domain.members.identifiers import tombstone
from bridge.texts import Text, counted
from schemas.xapi import NewPart

ONE_DAY = timedelta(days=1)
NO_PERIOD = Text("You have no such period.")
NO_MEMBER = Text("There is no record for you yet: the membership system has not told us of you.")
"""What a member is told who asks for what there is not."""


class PeriodDays(TypedDict):
    """The days of a membership year."""

    start: str  # YYYY-MM-DD, the first day
    end: str  # the last


LeaveDays = TypedDict("LeaveDays", {"from": str, "to": str})
"""The days of a leave, YYYY-MM-DD, both inclusive."""


class AuditYear(PeriodDays):
    """The year of an audit case that goes on: it stands, whatever calendar is brought (R82)."""

    case_id: str


class FreezeMark(TypedDict):
    """The mark on a frozen entry, plan item or file."""

    case_id: str
    period_id: str
    since: datetime


class Freeze(FreezeMark, PeriodDays):
    """A submitted year of a member, in which nothing changes until the case moves on (R56)."""


class FormerIdentifier(TypedDict):
    """An identifier that a member had."""

    stone: str  # its tombstone
    until: datetime


class ReferenceNumbers(TypedDict, total=False):
    """The last reference numbers given (R48); 0 where there is none."""

    log: int
    plan: int


class StoredMember(TypedDict):
    """A document of ``members``."""

    _id: str  # the member id
    name: str
    email: str | None
    language: str | None  # BCP 47
    registered: bool  # on the Register: changes guidance, never access (R80)
    registered_since: str | None  # YYYY-MM-DD
    renewal_date: str | None  # any renewal day; else ``periods`` are listed
    periods: list[PeriodDays] | None
    identifiers: list[NewPart]  # each as in an xAPI Agent
    keys: list[str]  # the identifiers' keys, and the id's own (``members.identifiers``)
    former: list[FormerIdentifier]
    leave: list[LeaveDays]  # in order, none overlapping another
    left_at: datetime | None
    version: int  # the ETag's
    acts: int  # the transactions on the member's record
    revision: NotRequired[int]  # the membership system's
    numbers: NotRequired[ReferenceNumbers]
    frozen: NotRequired[list[Freeze]]
    in_audit: NotRequired[list[AuditYear]]
    erasing: NotRequired[list[str]]  # the identifiers' keys, kept beside while an erasure goes on
    ending_announced: NotRequired[str]  # the last day of the last year whose end was announced


class Departure(TypedDict):
    """A document of ``departures``: a member who left before the membership system told of them."""

    _id: str  # the member id
    revision: int  # of the newest ``member.left``


@dataclass(frozen=True, slots=True)
class ElapsedTime:
    """Time passed in a period on the day ``as_of``, that day counted; not a measure of the CPD done (R18)."""

    percent: float  # 0 to 100 with one decimal, and 100 only when no day remains
    days_elapsed: int
    days_total: int
    days_remaining: int
    as_of: date
    text: Text  # the same in words


@dataclass(frozen=True, slots=True)
class MembershipYear:
    """A membership year of a member, from ``start`` to ``end``, both inclusive."""

    start: date
    end: date

    @property
    def id(self) -> str:
        """The start as ``YYYY-MM-DD``: periods do not overlap, so it is unique within one member."""
        return self.start.isoformat()

    @property
    def label(self) -> Text:
        """What a person calls it, such as "1 April 2025 to 31 March 2026"."""
        return Text("{start} to {end}", start=self.start, end=self.end)

    def contains(self, day: date) -> bool:
        """Whether the day lies in the period, its first and last day included."""
        return self.start <= day <= self.end

    def elapsed(self, today: date) -> ElapsedTime:
        """How much of the period has passed on the day ``today`` (R18)."""
        total = (self.end - self.start).days + 1
        passed = min(max((today - self.start).days + 1, 0), total)
        percent = 100.0 if passed == total else min(round(100 * passed / total, 1), 99.9)
        return ElapsedTime(percent, passed, total, total - passed, today, self._progress_text(today, passed, total))

    def _progress_text(self, today: date, passed: int, total: int) -> Text:
        if today < self.start:
            return counted(
                "This membership year starts on {day}, in {n} day.",
                "This membership year starts on {day}, in {n} days.",
                (self.start - today).days,
                day=self.start,
            )
        if today > self.end:
            return Text("This membership year ended on {day}.", day=self.end)
        if passed == total:
            return Text("Day {day} of {days}: this is the last day of your membership year.", day=passed, days=total)
        return counted(
            "Day {day} of {days}: {percent}% of your membership year has passed, {n} day remains.",
            "Day {day} of {days}: {percent}% of your membership year has passed, {n} days remain.",
            total - passed,
            day=passed,
            days=total,
            percent=min(round(100 * passed / total), 99),
        )


_start = attrgetter("start")


@dataclass(frozen=True, slots=True)
class MembershipCalendar:
    """A member's periods, from a renewal date (any year; its anniversary decides) or as the CRM lists them.

    Every date has exactly one period. Outside listed periods the years go on from the first start and the last end,
    and a gap between two of them is a period of its own. Periods in ``fixed``, none of which overlap, stand whatever
    the rest says: a year that they reach into has the days that they leave. Raises ``ValueError`` unless exactly one
    of the first two is given, and when ``check_periods`` does.
    """

    renewal: date | None = None
    periods: tuple[MembershipYear, ...] = ()
    fixed: tuple[MembershipYear, ...] = ()

    def __post_init__(self) -> None:
        if (self.renewal is None) == (not self.periods):
            raise ValueError("give either a renewal date or at least one period")
        check_periods(self.periods)
        object.__setattr__(self, "periods", tuple(sorted(self.periods, key=_start)))

    def period_for(self, day: date) -> MembershipYear:
        """The one period that contains the day."""
        year = self._year_of(day)
        for fixed in self.fixed:
            if fixed.contains(day):
                return fixed
            if fixed.end < day:
                year = MembershipYear(max(year.start, fixed.end + ONE_DAY), year.end)
            else:
                year = MembershipYear(year.start, min(year.end, fixed.start - ONE_DAY))
        return year

    def _year_of(self, day: date) -> MembershipYear:
        if self.renewal is not None:
            return _year_around(day, self.renewal)
        first, last = self.periods[0], self.periods[-1]
        if day < first.start:
            return _year_around(day, first.start)
        if day > last.end:
            return _year_around(day, last.end + ONE_DAY)
        after = bisect_right(self.periods, day, key=_start)
        before = self.periods[after - 1]
        if before.contains(day):
            return before
        return MembershipYear(before.end + ONE_DAY, self.periods[after].start - ONE_DAY)

    def period_by_id(self, period_id: str) -> MembershipYear | None:
        """The period that has this id, or ``None`` when no period of this member starts on that day."""
        try:
            period = self.period_for(date.fromisoformat(period_id))
        except ValueError:
            return None
        return period if period.id == period_id else None

    def between(self, first_day: date, last_day: date) -> list[MembershipYear]:
        """Every period with a day from ``first_day`` to ``last_day``, newest first; none when they are swapped."""
        if first_day > last_day:
            return []
        years = [self.period_for(last_day)]
        while years[-1].start > first_day:
            years.append(self.period_for(years[-1].start - ONE_DAY))
        return years


def check_periods(periods: Sequence[MembershipYear]) -> None:
    """Raise ``ValueError`` that names the first period, counted from 1, that is backwards or overlaps another."""
    numbered_periods = sorted(enumerate(periods, start=1), key=lambda item: item[1].start)
    for number, period in numbered_periods:
        if period.end < period.start:
            raise ValueError(f"period {number} ({period.label}) ends before it starts: swap its dates")
    for (n, earlier), (m, later) in pairwise(numbered_periods):
        if later.start <= earlier.end:
            raise ValueError(
                f"period {m} ({later.label}) overlaps period {n} ({earlier.label}): let each day be in one"
            )


def _anniversary(anchor: date, year: int) -> date:
    """The anchor's day in that year; ``relativedelta`` puts 29 February on the 28th of a common year."""
    return anchor + relativedelta(year=year)


@lru_cache(maxsize=8192)  # the worker asks for the same few days of the same renewal dates over and over
def _year_around(day: date, anchor: date) -> MembershipYear:
    """The year, from one anniversary to the eve of the next, that contains the day; cut off where ``date`` ends."""
    year = day.year if day >= _anniversary(anchor, day.year) else day.year - 1
    start = date.min if year < date.min.year else _anniversary(anchor, year)
    end = date.max if year == date.max.year else _anniversary(anchor, year + 1) - ONE_DAY
    return MembershipYear(start, end)


def calendar_of(member: StoredMember) -> MembershipCalendar:
    """Return the membership years of a member; the year of an audit case that goes on stands as it was (R82)."""
    renewal = member.get("renewal_date")
    listed_years, in_audit = _periods(member.get("periods")), _periods(member.get("in_audit"))
    return MembershipCalendar(date.fromisoformat(renewal) if renewal else None, listed_years, in_audit)


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


def given_up(member: StoredMember | None, keys: Collection[str], secret: bytes, at: datetime) -> list[FormerIdentifier]:
    """Return a member's former identifiers once they have these ``keys``; each with the time that they had it until."""
    if member is None:
        return []
    former_stones = [tombstone(secret, key) for key in member["keys"] if key not in keys]
    return [*member["former"], *(FormerIdentifier(stone=stone, until=at) for stone in former_stones)]
