"""Membership years as the portal shows them: progress, counts, what can be done now (R16-R26)."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from typing import Any

from bridge.domain.periods import MembershipCalendar, Period
from bridge.errors import NotFound
from bridge.services.stores import Stores
from bridge.store.members import calendar_of

NO_COUNTS = {"draft": 0, "incomplete": 0, "complete": 0}


class Periods:
    """Reads a member's membership years; ``today`` gives the local day."""

    def __init__(self, stores: Stores, today: Callable[[], date]) -> None:
        self._stores = stores
        self.today = today

    async def member(self, member_id: str) -> dict[str, Any]:
        """Return the member; raises ``NotFound`` for one that the membership system has not brought yet."""
        member = await self._stores.members.get(member_id)
        if member is None:
            raise NotFound("There is no record for you yet: the membership system has not told us of you.")
        return member

    async def every(self, member_id: str) -> list[dict[str, Any]]:
        """Return the periods from the earliest with anything in it to the current one, newest first (R19)."""
        member = await self.member(member_id)
        calendar = calendar_of(member)
        first = await self._first_day(member, calendar)
        counts = await self._stores.entries.counts(member_id)
        waiting = await self._stores.waiting.count_held(member_id)
        return [
            self._shown(period, member, counts.get(period.id, {}), waiting.get(period.id, 0))
            for period in calendar.between(first, self.today())
        ]

    async def one(self, member_id: str, period_id: str) -> dict[str, Any]:
        """Return one period by id or ``current`` (R17, R18); raises ``NotFound``."""
        member = await self.member(member_id)
        period = self.resolve(calendar_of(member), period_id)
        counts = await self._stores.entries.counts(member_id)
        waiting = await self._stores.waiting.count_held(member_id)
        shown = self._shown(period, member, counts.get(period.id, {}), waiting.get(period.id, 0))
        return {**shown, "elapsed": period.elapsed(self.today())}

    def resolve(self, calendar: MembershipCalendar, period_id: str) -> Period:
        """Return the period that an id, or ``current``, names; raises ``NotFound``."""
        period = calendar.period_for(self.today()) if period_id == "current" else calendar.period_by_id(period_id)
        if period is None:
            raise NotFound("You have no such period.")
        return period

    async def _first_day(self, member: dict[str, Any], calendar: MembershipCalendar) -> date:
        entry = await self._stores.entries.first_day(member["_id"])
        days = [date.fromisoformat(text) for text in (entry, member.get("registered_since")) if text]
        days += [period.start for period in calendar.periods]
        return min([day for day in (*days, calendar.renewal) if day and day <= self.today()], default=self.today())

    def _shown(self, period: Period, member: dict[str, Any], counted: dict[str, int], waiting: int) -> dict[str, Any]:
        counts = {**NO_COUNTS, **counted}
        needing = counts["draft"] + counts["incomplete"]
        return {
            "id": period.id,
            "label": period.label,
            "start": period.start,
            "end": period.end,
            "current": period.contains(self.today()),
            "frozen": any(freeze["period_id"] == period.id for freeze in member.get("frozen") or ()),
            "counts": {
                **counts,
                "total": needing + counts["complete"],
                "needs_attention": needing,
                "waiting": waiting,
            },
        }
