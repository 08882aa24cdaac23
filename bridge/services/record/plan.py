"""The member's plan: what they would like to learn, and what became of it (R1-R15)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from bridge.domain.record import plan
from bridge.domain.record.calendars import calendar_of
from bridge.domain.record.forms import Forms
from bridge.domain.record.periods import Period
from bridge.domain.record.search import query_terms
from bridge.services.idempotency import Attempt, once
from bridge.services.record.changes import (
    Check,
    found,
    found_to_change,
    found_to_restore,
    refuse_faults,
    refuse_frozen_span,
    refuse_misfits,
)
from bridge.services.record.links import let_go, take_back
from bridge.services.record.periods import Periods
from bridge.services.record.saving import save_items
from bridge.services.stores import Stores
from bridge.services.unit_of_work import Act, Acts
from bridge.store.listing import Listing, Sort, Wanted
from bridge.store.record.records import touching

Document = dict[str, Any]

KIND = "plan item"
"""What a person calls it."""

ROW = (
    *("title", "start_date", "completion_date", "status", "themes", "reference"),
    *("complete", "log_ids", "frozen", "version"),
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


class Plan:
    """Reads and changes a member's plan items."""

    def __init__(self, stores: Stores, acts: Acts, forms: Forms, periods: Periods) -> None:
        self._stores = stores
        self._acts = acts
        self._forms = forms
        self._periods = periods

    async def list(
        self, member_id: str, wanted: PlanFilter, sort: Sort, limit: int, after: list[Any] | None
    ) -> Listing:
        """Return a page of the member's items; raises ``NotFound`` for an unknown period."""
        member = await self._periods.member(member_id)
        terms = query_terms(wanted.q)
        if wanted.q and not terms:
            return Listing([], None, 0)
        named = wanted.period not in {None, "all"}
        period = self._periods.resolve(calendar_of(member), str(wanted.period)) if named else None
        rest = _rest(wanted, period)
        page = await self._stores.plan.of(member_id).page(Wanted({}, rest, sort, limit, after, fields=ROW), terms)
        return Listing([_shown(item, member) for item in page.items], page.next, page.total)

    async def get(self, member_id: str, item_id: str) -> Document:
        """Return one item; raises ``NotFound``."""
        member = await self._periods.member(member_id)
        return _shown(await found(self._stores.plan.of(member_id), item_id, KIND), member)

    async def create(self, member_id: str, values: Document, attempt: Attempt | None) -> Document:
        """Add an item (R7); raises ``ValidationFailed``."""

        async def work(act: Act) -> Document:
            return await once(act, attempt, lambda: self._create(act, values))

        return await self._acts.run(member_id, work)

    async def _create(self, act: Act, values: Document) -> Document:
        form = self._forms.current("plan")
        refuse_faults(plan.faults(form, values, values))
        refuse_frozen_span(act, values)
        numbered = values if values.get("reference") else {**values, "reference": await _number(act)}
        item = plan.new_item(act.member_id, numbered, form, act.at)
        await act.plan.add([item])
        return _shown(item, act.member)

    async def edit(self, member_id: str, item_id: str, changes: Document, check: Check) -> Document:
        """Change fields of an item (R3); None in ``changes`` clears a field.

        Raises ``NotFound``, ``RecordFrozen``, what ``check`` raises, or ``ValidationFailed``.
        """

        async def work(act: Act) -> Document:
            before = await found_to_change(act.plan, item_id, KIND, check)
            form = self._forms.form("plan", before["form_version"])
            refuse_misfits(form, changes)
            after = plan.changed(before, changes, form)
            refuse_faults(plan.faults(form, after, changes))
            if after["span"] != before["span"]:
                refuse_frozen_span(act, after)
            await save_items(act, [(before, after)])
            return _shown(await found(act.plan, item_id, KIND), act.member)

        return await self._acts.run(member_id, work)

    async def delete(self, member_id: str, item_id: str, check: Check) -> None:
        """Delete an item, softly (R13, decision 5); its links go out of sight with it."""

        async def work(act: Act) -> None:
            before = await found_to_change(act.plan, item_id, KIND, check)
            await let_go(act, act.log, before["log_ids"], "plan_ids", item_id)
            gone = {name: value for name, value in before.items() if name != "listed"}
            await save_items(act, [(before, {**gone, "deleted_at": act.at})])

        await self._acts.run(member_id, work)

    async def restore(self, member_id: str, item_id: str) -> Document:
        """Bring a deleted item back with its links; a live one stays as it is (decision 5)."""

        async def work(act: Act) -> Document:
            before = await found_to_restore(act.plan, item_id, KIND, act.at)
            if not before.get("deleted_at"):
                return _shown(before, act.member)
            refuse_frozen_span(act, before)
            log_ids = await take_back(act, act.log, before["log_ids"], "plan_ids", item_id)
            after = {name: value for name, value in before.items() if name != "deleted_at"}
            form = self._forms.form("plan", before["form_version"])
            await save_items(act, [(before, plan.listed({**after, "log_ids": log_ids}, form))])
            return _shown(await found(act.plan, item_id, KIND), act.member)

        return await self._acts.run(member_id, work)


async def _number(act: Act) -> str:
    (number,) = await act.numbers("plan", 1)
    return f"P{number}"


def _shown(item: Document, member: Document) -> Document:
    return {**item, "period_ids": plan.period_ids(item, calendar_of(member))}


def _rest(wanted: PlanFilter, period: Period | None) -> Document:
    equal = {"status": wanted.status, "complete": wanted.complete, "themes": wanted.theme}
    query: Document = {name: value for name, value in equal.items() if value is not None}
    if period is not None:
        query |= touching(period)
    if wanted.linked is not None:
        query["log_ids"] = {"$ne": []} if wanted.linked else []
    return query
