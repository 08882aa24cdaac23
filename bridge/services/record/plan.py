"""The member's plan: what they would like to learn, and what became of it (R1-R15)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypedDict

from bridge.domain.forms import Forms, Values, misfits
from bridge.domain.members import MembershipYear, StoredMember, calendar_of
from bridge.domain.record import RecordCriteria, StoredPlanItem, plan
from bridge.errors import Conflict
from bridge.services.record.carrying import rejoin_neighbours, release_neighbours
from bridge.services.record.links import relink_item, save_deleted_item
from bridge.services.record.periods import Periods
from bridge.services.unit_of_work import (
    ITEM,
    Attempt,
    Check,
    UnitOfWork,
    UnitsOfWork,
    get_for_restore,
    get_for_update,
    get_or_404,
    raise_for_errors,
    raise_if_frozen,
)
from bridge.store import Listing, Position, Sort, Stores

ROW = (
    *("title", "start_date", "completion_date", "status", "themes", "reference"),
    *("complete", "log_ids", "frozen", "version", "carried_to", "carried_from", "carried_into"),
)
"""What is read of an item for a list: texts may be long, and are not shown there."""


@dataclass(frozen=True, slots=True)
class PlanFilter:
    """What a list of the plan is narrowed to; every part that is given must hold; ``period`` None is all years (R4)."""

    period: str | None = None
    q: str = ""
    status: str | None = None
    complete: bool | None = None
    theme: str | None = None
    linked: bool | None = None

    def criteria(self, period: MembershipYear | None) -> RecordCriteria:
        """Return what of it an item is chosen by: everything but the keywords."""
        equal = {"status": self.status, "complete": self.complete, "themes": self.theme}
        conditions: list[tuple[str, object]] = [(name, value) for name, value in equal.items() if value is not None]
        unlinked_conditions: list[tuple[str, object]] = [("log_ids", [])]
        return RecordCriteria(
            [*conditions, *(unlinked_conditions if self.linked is False else [])],
            unlinked_conditions if self.linked else [],
            touching=period,
        )


class ItemWithPeriods(StoredPlanItem):
    """A plan item as it is shown."""

    period_ids: list[str]  # the years that its days touch


class CarriedItem(TypedDict):
    """The item that another goes on as, and whether it was made now rather than before."""

    item: ItemWithPeriods
    new: bool


class Plan:
    """Reads and changes a member's plan items."""

    def __init__(self, stores: Stores, units: UnitsOfWork, forms: Forms, periods: Periods) -> None:
        self._stores = stores
        self._units = units
        self._forms = forms
        self._periods = periods

    async def list(
        self, member_id: str, plan_filter: PlanFilter, sort: Sort, limit: int, after: Position | None
    ) -> Listing[ItemWithPeriods]:
        """Return a page of the member's items; raises ``NotFound`` for an unknown period."""
        member = await self._periods.get_member(member_id)
        is_one_period = plan_filter.period not in {None, "all"}
        period = self._periods.resolve(calendar_of(member), str(plan_filter.period)) if is_one_period else None
        criteria = plan_filter.criteria(period)
        page = await self._stores.plan.of(member_id).page(criteria, sort, limit, after, q=plan_filter.q, fields=ROW)
        return Listing([_item_with_periods(item, member) for item in page.items], page.next, page.total)

    async def get(self, member_id: str, item_id: str) -> ItemWithPeriods:
        """Return one item; raises ``NotFound``."""
        member = await self._periods.get_member(member_id)
        return _item_with_periods(await get_or_404(self._stores.plan.of(member_id), item_id, ITEM), member)

    async def create(self, member_id: str, values: Values, attempt: Attempt | None) -> ItemWithPeriods:
        """Add an item (R7); raises ``ValidationFailed``."""
        return await self._units.run(member_id, lambda unit: self._create(unit, values), attempt)

    async def _create(self, unit: UnitOfWork, values: Values) -> ItemWithPeriods:
        form = self._forms.current("plan")
        raise_for_errors(plan.faults(form, values, values))
        raise_if_frozen(plan.freeze_of_days(values, unit.member))
        numbered_values = values if values.get("reference") else {**values, "reference": await _number(unit)}
        item = plan.new_item(unit.member_id, numbered_values, form, unit.at)
        await unit.plan.add([item])
        return _item_with_periods(item, unit.member)

    async def edit(self, member_id: str, item_id: str, changes: Values, check: Check) -> ItemWithPeriods:
        """Change fields of an item (R3); None in ``changes`` clears a field.

        Raises ``NotFound``, ``RecordFrozen``, what ``check`` raises, or ``ValidationFailed``.
        """

        async def work(unit: UnitOfWork) -> ItemWithPeriods:
            before = await get_for_update(unit.plan, item_id, ITEM, check)
            form = self._forms.form("plan", before["form_version"])
            raise_for_errors(misfits(form, changes))
            after = plan.changed(before, changes, form)
            raise_for_errors(plan.faults(form, after, changes))
            if after["span"] != before["span"]:
                raise_if_frozen(plan.freeze_of_days(after, unit.member))
            await unit.save_items([(before, after)])
            return _item_with_periods(await get_or_404(unit.plan, item_id, ITEM), unit.member)

        return await self._units.run(member_id, work)

    async def delete(self, member_id: str, item_id: str, check: Check) -> None:
        """Delete an item, softly (R13, decision 5); its links go out of sight with it."""

        async def work(unit: UnitOfWork) -> None:
            before = await get_for_update(unit.plan, item_id, ITEM, check)
            await release_neighbours(unit, before)
            await save_deleted_item(unit, before)

        await self._units.run(member_id, work)

    async def restore(self, member_id: str, item_id: str) -> ItemWithPeriods:
        """Bring a deleted item back with its links; a live one stays as it is (decision 5)."""

        async def work(unit: UnitOfWork) -> ItemWithPeriods:
            before = await get_for_restore(unit.plan, item_id, ITEM, unit.at)
            if not before.get("deleted_at"):
                return _item_with_periods(before, unit.member)
            raise_if_frozen(plan.freeze_of_days(before, unit.member))
            log_ids, free_sides = await relink_item(unit, before), await rejoin_neighbours(unit, before)
            after = {name: value for name, value in before.items() if name not in {"deleted_at", *free_sides}}
            form = self._forms.form("plan", before["form_version"])
            await unit.save_items([(before, plan.listed({**after, "log_ids": log_ids}, form))])
            return _item_with_periods(await get_or_404(unit.plan, item_id, ITEM), unit.member)

        return await self._units.run(member_id, work)

    async def carry_forward(
        self, member_id: str, item_id: str, attempt: Attempt | None
    ) -> tuple[ItemWithPeriods, bool]:
        """Let an item go on in the next year; returns the item that it goes on as, and whether that is a new one.

        Raises ``NotFound``, ``RecordFrozen``, or ``Conflict`` where there is no next year.
        """

        async def work(unit: UnitOfWork) -> CarriedItem:
            before = await get_for_update(unit.plan, item_id, ITEM, _any_version)
            next_item = await unit.plan.get(before.get("carried_to", ""))
            new = next_item is None
            if next_item is None:
                next_item = await self._create(unit, self._carried_values(unit, before))
            if new or before.get("status") != plan.CARRIED_FORWARD:
                changes = {"status": plan.CARRIED_FORWARD, "carried_to": next_item["_id"]}
                form = self._forms.form("plan", before["form_version"])
                await unit.save_items([(before, plan.changed(before, changes, form))])
            return {"item": _item_with_periods(next_item, unit.member), "new": new}

        answer = await self._units.run(member_id, work, attempt)
        return answer["item"], answer["new"]

    def _carried_values(self, unit: UnitOfWork, item: StoredPlanItem) -> Values:
        year = plan.year_after(item, unit.calendar, unit.today)
        if year is None:
            raise Conflict(plan.NO_YEAR_AFTER)
        return plan.carried_values(item, self._forms.current("plan"), year)


def _any_version(_version: int) -> None:
    """Check nothing: an item may be carried forward whatever its version is."""


async def _number(unit: UnitOfWork) -> str:
    (number,) = await unit.numbers("plan", 1)
    return f"P{number}"


def _item_with_periods(item: StoredPlanItem, member: StoredMember) -> ItemWithPeriods:
    return {**item, "period_ids": plan.period_ids(item, calendar_of(member))}
