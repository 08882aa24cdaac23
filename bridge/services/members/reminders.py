"""What is due on a day: reminders of the audit, and years that end soon; once, whichever worker is first.

A reminder is noted in its case, in the transaction that announces it; the years of a day are claimed in ``schedules``.
So a restart loses nothing, a standstill is made good, and two workers never say the same thing twice.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, timedelta
from functools import partial
from typing import Final

from bridge.domain.audit import AWAITED, REMIND_AT, StoredCase, cases
from bridge.domain.events import AUDIT_DUE, PERIOD_ENDING, DueCaseData, OutboxEvent, PeriodEndData, event
from bridge.domain.members import MembershipYear, StoredMember, calendar_of
from bridge.services.statements.follow_ups import FollowUpRunner
from bridge.services.unit_of_work import UnitOfWork, UnitsOfWork
from bridge.store import Session, Stores, now

TASK: Final = PERIOD_ENDING.name
LEASE: Final = timedelta(minutes=10)
AT_ONCE: Final = 500
MOST_DAYS: Final = 14
"""Days that are made good after a standstill; a year that ends sooner than that is no news."""


class Reminders:
    """Finds what is due; ``today`` gives the local day."""

    def __init__(
        self,
        stores: Stores,
        units: UnitsOfWork,
        follow_ups: FollowUpRunner,
        ending_days: int,
        today: Callable[[], date],
    ) -> None:
        self._stores = stores
        self._units = units
        self._follow_ups = follow_ups
        self._ending = timedelta(days=ending_days)
        self._today = today

    async def run(self) -> None:
        """Do whatever is due now; doing it again changes nothing."""
        await self._follow_ups.resume()
        await self.remind()
        await self.announce_endings()

    async def remind(self) -> int:
        """Announce the audit's due dates, 30, 7 and 3 days before; returns how many."""
        until = self._today() + timedelta(days=max(REMIND_AT))
        awaited_cases = await self._stores.cases.awaited(until.isoformat())
        return sum([await self._remind(case) for case in awaited_cases if self._reminder_due(case) is not None])

    async def announce_endings(self) -> int:
        """Announce the membership years that end in so many days, for each day not yet seen to; returns how many."""
        today = self._today()
        task = await self._stores.schedules.claim(TASK, today.isoformat(), now(), LEASE)
        if task is None:
            return 0
        ends = {day + self._ending for day in _days_since(task.get("done"), today)}
        announcements = await self._announce(ends)
        await self._stores.schedules.done(TASK, today.isoformat())
        return announcements

    def _reminder_due(self, case: StoredCase) -> int | None:
        return cases.reminder_due(cases.due_of(case), case["reminded"], self._today())

    async def _remind(self, case: StoredCase) -> bool:
        async def work(unit: UnitOfWork) -> bool:
            current = await self._stores.cases.get(case["_id"], unit.session)
            days = self._reminder_due(current) if current and current["state"] in AWAITED else None
            if current is None or days is None:
                return False
            due_date = cases.due_of(current)
            reminded_case: StoredCase = {**current, "reminded": cases.reminders_passed(due_date, self._today())}
            await self._stores.cases.save(current, reminded_case, unit.session)
            days_left = (due_date - self._today()).days
            data: DueCaseData = {**cases.event_data(current), "days": days_left}
            await unit.announce(AUDIT_DUE, f"{case['_id']}:{due_date}:{days}", data)
            return True

        return await self._units.run(case["member_id"], work)

    async def _announce(self, ends: set[date]) -> int:
        last, announcements = "", 0
        while True:
            batch = partial(self._announce_batch, last, ends)
            members, events = await self._stores.database.transaction(batch)
            if not members:
                return announcements
            last, announcements = members[-1]["_id"], announcements + events

    async def _announce_batch(self, beyond: str, ends: set[date], session: Session) -> tuple[list[StoredMember], int]:
        """Announce the endings of the next members; returns these members and the number of events."""
        members = await self._stores.members.in_order(beyond, AT_ONCE, session)
        endings = [(member, period) for member in members if (period := _ending(member, ends))]
        await self._stores.members.save([(member, _announced(member, period)) for member, period in endings], session)
        await self._stores.outbox.add([_ending_event(member, period) for member, period in endings], session)
        return members, len(endings)


def _days_since(last_day: str | None, today: date) -> list[date]:
    """Return the days not yet seen to, today the last; only today when nothing was ever done."""
    missed_days = (today - date.fromisoformat(last_day)).days if last_day else 1
    return [today - timedelta(days=back) for back in range(min(missed_days, MOST_DAYS))]


def _ending(member: StoredMember, ends: set[date]) -> MembershipYear | None:
    """Return the membership year of a member that ends on one of these days, unless that was announced before."""
    calendar = calendar_of(member)
    periods = [period for day in ends if (period := calendar.period_for(day)).end == day]
    announcements = member.get("ending_announced", "")
    return max(
        (period for period in periods if f"{period.end}" > announcements), key=lambda period: period.end, default=None
    )


def _announced(member: StoredMember, period: MembershipYear) -> StoredMember:
    """Return a member, touched, of whom it is known that the end of this year was announced."""
    return {**member, "acts": member["acts"] + 1, "ending_announced": f"{period.end}"}


def _ending_event(member: StoredMember, period: MembershipYear) -> OutboxEvent:
    key, place = f"{member['_id']}:{period.id}", (member["acts"] + 1, 1)
    data: PeriodEndData = {"period_id": period.id, "end": f"{period.end}"}
    return event(PERIOD_ENDING, key, member["_id"], place, now(), data)
