"""Membership years as the portal shows them: progress, counts, what can be done now (R16-R26, R45-R47)."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import date, datetime
from typing import TypedDict

from bridge.domain.audit import PeriodAction, StoredCase, period_actions
from bridge.domain.members import (
    NO_MEMBER,
    NO_PERIOD,
    ElapsedTime,
    MembershipCalendar,
    MembershipYear,
    StoredMember,
    calendar_of,
    frozen_on,
)
from bridge.domain.record import (
    COUNTED_BY,
    NOT_EXPECTED,
    EntryGroup,
    RecordCriteria,
    Target,
    TargetProgress,
    counts,
    target_progress,
)
from bridge.errors import NotFound
from bridge.store import Stores


class PeriodSummary(TypedDict):
    """A membership year as lists show it."""

    id: str
    label: str
    start: date
    end: date
    current: bool
    frozen: bool
    frozen_since: datetime | None
    counts: dict[str, int]


class PlanTotals(TypedDict):
    """The plan items that touch a year."""

    total: int
    incomplete: int


class UnlinkedCounts(TypedDict):
    """What of a year has no link between plan and log."""

    planned_not_logged: int
    logged_not_planned: int


class PeriodOverview(PeriodSummary):
    """A membership year by itself."""

    elapsed: ElapsedTime
    undated: int  # entries without a day, which only the current year shows
    minutes: int
    by_type: dict[str, dict[str, int]]
    plan: PlanTotals
    unlinked: UnlinkedCounts
    targets: list[TargetProgress]
    actions: list[PeriodAction]


class Periods:
    """Reads a member's membership years; ``today`` gives the local day, ``targets`` are the body's."""

    def __init__(self, stores: Stores, today: Callable[[], date], targets: Sequence[Target] = ()) -> None:
        self._stores = stores
        self._targets = targets
        self.today = today

    async def get_member(self, member_id: str) -> StoredMember:
        """Return the member; raises ``NotFound`` for one that the membership system has not brought yet."""
        member = await self._stores.members.get(member_id)
        if member is None:
            raise NotFound(NO_MEMBER)
        return member

    async def list_all(self, member_id: str, cases: Sequence[StoredCase] = ()) -> list[PeriodSummary]:
        """Return the periods from the earliest with anything in it to the current one, newest first (R19).

        One of the member's audit cases, ``cases``, is something too: an empty year can be submitted.
        """
        member = await self.get_member(member_id)
        of_period: defaultdict[str | None, list[EntryGroup]] = defaultdict(list)
        for group in await self._groups(member_id):
            of_period[group.period_id].append(group)
        counts = await self._stores.waiting.count_held(member_id)
        starts = [date.fromisoformat(key) for key in of_period if key]
        first = min([self._first_day(member, starts), *(date.fromisoformat(case["start"]) for case in cases)])
        periods = calendar_of(member).between(first, self.today())
        return [self._row(period, member, of_period[period.id], counts) for period in periods]

    async def overview(self, member_id: str, period_id: str, cases: Sequence[StoredCase] = ()) -> PeriodOverview:
        """Return one period by id or ``current`` (R17, R18); raises ``NotFound``.

        ``cases`` are the member's audit cases; they decide what can be submitted.
        """
        member = await self.get_member(member_id)
        period = self.resolve(calendar_of(member), period_id)
        groups = await self._groups(member_id, [period.id, None])
        own_groups = [group for group in groups if group.period_id is not None]
        waiting_counts = await self._stores.waiting.count_held(member_id)
        period_row = self._row(period, member, own_groups, waiting_counts)
        plan = self._stores.plan.of(member_id)
        items = RecordCriteria(touching=period)
        return {
            **period_row,
            "elapsed": period.elapsed(self.today()),
            "undated": counts.total(groups) - counts.total(own_groups) if period_row["current"] else 0,
            "minutes": counts.minutes(own_groups),
            "by_type": counts.by_type(own_groups),
            "plan": {
                "total": await plan.number(items),
                "incomplete": await plan.number(replace(items, equal=[("complete", False)])),
            },
            "unlinked": {
                "planned_not_logged": await plan.number(
                    replace(items, equal=[("log_ids", [])], unequal=[("status", status) for status in NOT_EXPECTED])
                ),
                "logged_not_planned": counts.unlinked(own_groups),
            },
            "targets": target_progress(self._targets, own_groups, period, member),
            "actions": period_actions(period, frozen=period_row["frozen"], cases=cases),
        }

    def resolve(self, calendar: MembershipCalendar, period_id: str) -> MembershipYear:
        """Return the period that an id, or ``current``, names; raises ``NotFound``."""
        period = calendar.period_for(self.today()) if period_id == "current" else calendar.period_by_id(period_id)
        if period is None:
            raise NotFound(NO_PERIOD)
        return period

    def period_ids(self, member: StoredMember, period_id: str) -> list[str | None] | None:
        """Return the period ids of the entries that a choice of period names; None is all of them.

        The current one has the undated entries too, which are in no period (R76). Raises ``NotFound`` for an unknown
        period.
        """
        if period_id == "all":
            return None
        period = self.resolve(calendar_of(member), period_id)
        return [period.id, None] if period_id == "current" else [period.id]

    async def _groups(self, member_id: str, period_ids: Iterable[str | None] | None = None) -> list[EntryGroup]:
        rows = await self._stores.log.of(member_id).groups(COUNTED_BY, "minutes", period_ids)
        return [
            EntryGroup(**{name: row[name] for name in COUNTED_BY}, entries=row["n"], minutes=row["total"])
            for row in rows
        ]

    def _first_day(self, member: StoredMember, starts: Iterable[date]) -> date:
        """Return the first day to show: of what was logged, the Register, the listed years, or the renewal date."""
        calendar, since = calendar_of(member), member.get("registered_since")
        days = [*starts, *([date.fromisoformat(since)] if since else [])]
        days += [period.start for period in calendar.periods]
        days += [calendar.renewal] if calendar.renewal else []
        return min([day for day in days if day <= self.today()], default=self.today())

    def _row(
        self,
        period: MembershipYear,
        member: StoredMember,
        groups: Iterable[EntryGroup],
        waiting_counts: Mapping[str, int],
    ) -> PeriodSummary:
        freeze = frozen_on(member, period.start)
        return {
            "id": period.id,
            "label": period.label,
            "start": period.start,
            "end": period.end,
            "current": period.contains(self.today()),
            "frozen": freeze is not None,
            "frozen_since": freeze["since"] if freeze else None,
            "counts": counts.counts(groups, waiting_counts.get(period.id, 0)),
        }
