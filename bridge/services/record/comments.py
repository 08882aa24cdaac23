"""Notes about a membership year, for audit support or the member's own reference; posted, they stay (R50-R52)."""

from __future__ import annotations

from functools import partial

from bridge.domain.members import calendar_of
from bridge.domain.record import StoredComment, filing_day, new_comment, no_such_record
from bridge.services.record.periods import Periods
from bridge.services.unit_of_work import Attempt, UnitOfWork, UnitsOfWork, raise_if_frozen
from bridge.store import Listing, Position, Sort, Stores


class MemberComments:
    """Adds and reads a member's comments; a correction is a further comment."""

    def __init__(self, stores: Stores, units: UnitsOfWork, periods: Periods) -> None:
        self._stores = stores
        self._units = units
        self._periods = periods

    async def list(
        self, member_id: str, period_id: str, sort: Sort, limit: int, after: Position | None
    ) -> Listing[StoredComment]:
        """Return a page of the comments on a period, by id or ``current``; raises ``NotFound``."""
        calendar = calendar_of(await self._periods.get_member(member_id))
        period = self._periods.resolve(calendar, period_id)
        return await self._stores.comments.list(member_id, period, sort, limit, after)

    async def add(
        self, member_id: str, period_id: str, text: str, refers_to: str | None, attempt: Attempt | None
    ) -> StoredComment:
        """Post a comment and return it.

        Raises ``NotFound`` for an unknown period, ``RecordFrozen`` while it is frozen (decision 13), and
        ``ValidationFailed`` when ``refers_to`` names nothing in the member's record.
        """
        add = partial(self._add, period_id=period_id, text=text, refers_to=refers_to)
        return await self._units.run(member_id, add, attempt)

    async def _add(self, unit: UnitOfWork, period_id: str, text: str, refers_to: str | None) -> StoredComment:
        day = filing_day(self._periods.resolve(unit.calendar, period_id))
        raise_if_frozen(unit.freeze_on(day))
        if refers_to is not None:
            await _check_reference(unit, refers_to)
        comment = new_comment(unit.member, day, text, refers_to, unit.at)
        await self._stores.comments.add(comment, unit.session)
        return comment


async def _check_reference(unit: UnitOfWork, item_id: str) -> None:
    if await unit.log.get(item_id) or await unit.plan.get(item_id):
        return
    raise no_such_record()
