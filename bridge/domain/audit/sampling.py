"""Random samples of renewing members that anyone can draw again and get the same (requirements.md, Audit facts).

The recipe: HMAC-SHA-256 (RFC 2104) of each id, keyed with the seed, both as UTF-8; sorted by that digest, the first n
are the sample. Whoever knows the seed beforehand knows the sample, so it is either made here or drawn in public.
"""

from __future__ import annotations

import hashlib
import hmac
import math
import uuid
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime
from typing import TypedDict

from dateutil.relativedelta import relativedelta

from bridge.domain.audit.cases import CaseDays
from bridge.domain.members.identifiers import hashed
from bridge.domain.members.members import ONE_DAY, MembershipCalendar, MembershipYear, StoredMember, calendar_of
from bridge.domain.record.entries import NAMESPACE

LONGEST_WINDOW = 366
"""Days between which renewals may lie: in more than a year a member renews twice."""


class SampledMember(CaseDays):
    """A member who was drawn, and the year that their case is of."""

    member_id: str  # an alias once the member was erased
    case_id: str


class StoredSample(TypedDict):
    """A document of ``audit_samples``: how a sample was drawn, so that it can be checked."""

    _id: str
    seed: str
    renewal_from: str  # YYYY-MM-DD
    renewal_to: str
    minimum_months_registered: int
    rate: float | None  # 0 to 1; None where a count was asked for
    count: int | None
    population_size: int
    population_digest: str
    population: list[str]  # member ids, sorted
    selected: list[SampledMember]
    drawn_at: datetime
    drawn_by: str  # a token subject


@dataclass(frozen=True, slots=True)
class Window:
    """The population of a sample: members with a renewal day in the window, registered for some months by then."""

    renewal_from: date
    renewal_to: date
    minimum_months: int

    def renewal_of(self, calendar: MembershipCalendar, registered_since: date | None) -> date | None:
        """Return a member's renewal day in the window, or None for one who is not in the population.

        A member whose first day on the Register is not known is in it only when no minimum is asked for.
        """
        last = calendar.period_for(self.renewal_to)
        if last.start < self.renewal_from or last.start == date.min:  # with no year before it to audit
            return None
        if not self.minimum_months:
            return last.start
        return last.start if registered_since is not None and self._long_since(registered_since, last.start) else None

    def _long_since(self, registered: date, renewal: date) -> bool:
        try:
            return registered <= renewal - relativedelta(months=self.minimum_months)
        except (ValueError, OverflowError):  # before the first year that there is
            return False


@dataclass(frozen=True, slots=True)
class SampleRequest:
    """A sample as asked for: a rate (0 to 1) or a count, and a seed; without one, it is made."""

    window: Window
    rate: float | None
    count: int | None
    seed: str | None

    def sample_id(self, seed: str) -> str:
        """Return the id of the sample: the same for the same request and seed."""
        window = self.window
        parts = (seed, window.renewal_from, window.renewal_to, window.minimum_months, self.rate, self.count)
        return str(uuid.uuid5(NAMESPACE, "sample/" + "/".join(map(str, parts))))

    def rate_or(self, usual: float) -> float | None:
        """Return the rate to draw by, ``usual`` where none is asked for; None when a count is."""
        return None if self.count is not None else self.rate if self.rate is not None else usual


def seed_of(by: str, key: str) -> str:
    """Return the seed of a draw with an ``Idempotency-Key``, so that repeating it draws the same."""
    return hashed(f"seed:{by}:{key}")


def case_id(sample_id: str, member_id: str) -> str:
    """Return the id of the case that a sample opens for a member: the same however often it is opened."""
    return str(uuid.uuid5(NAMESPACE, f"case/{sample_id}/{member_id}"))


def drawable_period(member: StoredMember, window: Window, today: date) -> MembershipYear | None:
    """Return the membership year that would be audited if the member were drawn; None for one not in the population."""
    since, calendar = member.get("registered_since"), calendar_of(member)
    renewal = window.renewal_of(calendar, date.fromisoformat(since) if since else None)
    period = audited_period(calendar, renewal) if renewal is not None else None
    return period if period is not None and period.start <= today else None


def audited_period(calendar: MembershipCalendar, renewal: date) -> MembershipYear:
    """Return the membership year that a renewal ends: the one an audit looks at."""
    return calendar.period_for(renewal - ONE_DAY)


def size_of(population: int, rate: float | None, count: int | None) -> int:
    """Return how many to draw: ``count``, or a rate (0 to 1) of the population, rounded up; never more than all."""
    size = count if count is not None else math.ceil(round(population * (rate or 0), 6))
    return min(population, size)


def draw(seed: str, population: Iterable[str], size: int) -> list[str]:
    """Return the sample, in the order of its digests."""
    return sorted(population, key=lambda member_id: (_digest(seed, member_id), member_id))[:size]


def population_digest(population: Iterable[str]) -> str:
    """Return the SHA-256, in hex, of the sorted ids, each followed by a line feed: two lists are the same or not."""
    return hashlib.sha256("".join(f"{member_id}\n" for member_id in sorted(population)).encode()).hexdigest()


def _digest(seed: str, member_id: str) -> bytes:
    return hmac.new(seed.encode(), member_id.encode(), hashlib.sha256).digest()
