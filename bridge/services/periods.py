"""Membership years as the portal shows them: progress, counts, what can be done now (R16-R26, R45-R47)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from bridge.domain import tallies
from bridge.domain.actions import actions
from bridge.domain.entries import UNDATED
from bridge.domain.periods import MembershipCalendar, Period
from bridge.domain.plan import DROPPED
from bridge.errors import NotFound
from bridge.services.intake import Intake
from bridge.services.stores import Stores
from bridge.store.members import calendar_of, frozen_on
from bridge.store.records import touching

Document = dict[str, Any]


@dataclass(frozen=True, slots=True)
class _Counted:
    """A member with what is known of each period: tallies, and completions that wait for a freeze to end."""

    member: Document
    tallies: Mapping[str, Document]
    waiting: Mapping[str, int]

    @property
    def calendar(self) -> MembershipCalendar:
        return calendar_of(self.member)

    def tally(self, period: Period) -> Document:
        return self.tallies.get(period.id, {})


class Periods:
    """Reads a member's membership years; ``today`` gives the local day."""

    def __init__(self, stores: Stores, intake: Intake, today: Callable[[], date]) -> None:
        self._stores = stores
        self._intake = intake
        self.today = today

    async def member(self, member_id: str) -> Document:
        """Return the member; raises ``NotFound`` for one that the membership system has not brought yet."""
        member = await self._stores.members.get(member_id)
        if member is None:
            raise NotFound("There is no record for you yet: the membership system has not told us of you.")
        return member

    async def every(self, member_id: str, cases: Sequence[Document] = ()) -> list[Document]:
        """Return the periods from the earliest with anything in it to the current one, newest first (R19).

        One of the member's audit cases, ``cases``, is something too: an empty year can be submitted.
        """
        counted = await self._counted(member_id)
        first = min([self._first_day(counted), *(date.fromisoformat(case["start"]) for case in cases)])
        periods = counted.calendar.between(first, self.today())
        return [self._shown(period, counted) for period in periods]

    async def one(self, member_id: str, period_id: str, cases: Sequence[Document] = ()) -> Document:
        """Return one period by id or ``current`` (R17, R18); raises ``NotFound``.

        ``cases`` are the member's audit cases; they decide what can be submitted.
        """
        counted = await self._counted(member_id)
        period = self.resolve(counted.calendar, period_id)
        tally, shown = counted.tally(period), self._shown(period, counted)
        plan = self._stores.plan.of(member_id)
        open_items: Document = {"log_ids": [], "status": {"$ne": DROPPED}, **touching(period)}
        return {
            **shown,
            "elapsed": period.elapsed(self.today()),
            "undated": tallies.counts(counted.tallies.get(UNDATED, {}), 0)["total"] if shown["current"] else 0,
            "minutes": int(tally.get("minutes", 0)),
            "by_type": tallies.by_type(tally),
            "plan": {
                "total": await plan.number({}, touching(period)),
                "incomplete": await plan.number({}, {"complete": False, **touching(period)}),
            },
            "unlinked": {
                "planned_not_logged": await plan.number({}, open_items),
                "logged_not_planned": int(tally.get("unlinked", 0)),
            },
            "actions": actions(period, frozen=shown["frozen"], cases=cases),
        }

    def resolve(self, calendar: MembershipCalendar, period_id: str) -> Period:
        """Return the period that an id, or ``current``, names; raises ``NotFound``."""
        period = calendar.period_for(self.today()) if period_id == "current" else calendar.period_by_id(period_id)
        if period is None:
            raise NotFound("You have no such period.")
        return period

    def tallied(self, member: Document, period_id: str) -> set[str] | None:
        """Return the tallies that a choice of period names; None is all. The current one has the undated entries too.

        Raises ``NotFound`` for an unknown period.
        """
        if period_id == "all":
            return None
        period = self.resolve(calendar_of(member), period_id)
        return {period.id, UNDATED} if period_id == "current" else {period.id}

    async def _counted(self, member_id: str) -> _Counted:
        member = await self.member(member_id)
        arrived = await self._intake.settle(member)
        held = await self._stores.waiting.count_held(member_id)
        return _Counted(member, await self._stores.tallies.of(member_id), arrived + Counter(held))

    def _first_day(self, counted: _Counted) -> date:
        held = [period for period, tally in counted.tallies.items() if tallies.counts(tally, 0)["total"]]
        texts = [*(period for period in held if period != UNDATED), counted.member.get("registered_since")]
        known = [date.fromisoformat(text) for text in texts if text]
        known += [period.start for period in counted.calendar.periods]
        known += [counted.calendar.renewal] if counted.calendar.renewal else []
        return min([day for day in known if day <= self.today()], default=self.today())

    def _shown(self, period: Period, counted: _Counted) -> Document:
        freeze = frozen_on(counted.member, period.start)
        return {
            "id": period.id,
            "label": period.label,
            "start": period.start,
            "end": period.end,
            "current": period.contains(self.today()),
            "frozen": freeze is not None,
            "frozen_since": freeze["since"] if freeze else None,
            "counts": tallies.counts(counted.tally(period), counted.waiting.get(period.id, 0)),
        }
