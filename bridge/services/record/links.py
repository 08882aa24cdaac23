"""Links between the plan and the log, many to many (R47, R48).

Each side keeps the ids of the other: ``plan_ids`` and ``log_ids`` of a live record name live records only. When one is
deleted, the others let it go while it keeps what it had, so that restoring it brings the links back.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Literal

from bridge.services.record.changes import get_or_404
from bridge.services.record.saving import save_entries, save_items
from bridge.services.unit_of_work import UnitOfWork, UnitsOfWork, raise_if_frozen
from bridge.store.record.records import MemberRecords

Document = dict[str, Any]
Side = Literal["plan_ids", "log_ids"]


class RecordLinks:
    """Makes and takes away links; both are safe to repeat."""

    def __init__(self, units: UnitsOfWork) -> None:
        self._units = units

    async def link(self, member_id: str, entry_id: str, plan_id: str) -> None:
        """Link an entry with a plan item; raises ``NotFound`` or ``RecordFrozen``."""

        async def work(unit: UnitOfWork) -> None:
            entry, item = await _both(unit, entry_id, plan_id)
            if plan_id not in entry["plan_ids"]:
                await _put(unit, entry, [*entry["plan_ids"], plan_id], item, [*item["log_ids"], entry_id])

        await self._units.run(member_id, work)

    async def unlink(self, member_id: str, entry_id: str, plan_id: str) -> None:
        """Take a link away; raises ``NotFound`` or ``RecordFrozen``."""

        async def work(unit: UnitOfWork) -> None:
            entry, item = await _both(unit, entry_id, plan_id)
            if plan_id in entry["plan_ids"]:
                await _put(unit, entry, without(entry["plan_ids"], plan_id), item, without(item["log_ids"], entry_id))

        await self._units.run(member_id, work)


async def _both(unit: UnitOfWork, entry_id: str, plan_id: str) -> tuple[Document, Document]:
    entry = await get_or_404(unit.log, entry_id, "log entry")
    item = await get_or_404(unit.plan, plan_id, "plan item")
    raise_if_frozen(entry.get("frozen"))
    raise_if_frozen(item.get("frozen"))
    return entry, item


async def _put(unit: UnitOfWork, entry: Document, plan_ids: list[str], item: Document, log_ids: list[str]) -> None:
    linked = {"plan_ids": plan_ids, "linked": bool(plan_ids), "touched_at": unit.at}
    await save_entries(unit, [(entry, {**entry, **linked})])
    await save_items(unit, [(item, {**item, "log_ids": log_ids})])


async def unlink_deleted(
    unit: UnitOfWork, others: MemberRecords, other_ids: Iterable[str], side: Side, record_id: str
) -> None:
    """Take a record that is being deleted out of the others' links; raises ``RecordFrozen`` when one is frozen."""
    records = await others.some(other_ids)
    for record in records:
        raise_if_frozen(record.get("frozen"))
    await _save(unit, side, [(other, {**other, side: without(other[side], record_id)}) for other in records])


async def relink_restored(
    unit: UnitOfWork, others: MemberRecords, other_ids: Iterable[str], side: Side, record_id: str
) -> list[str]:
    """Put a record that is being restored back into the others' links; returns the ids of those that are live.

    One that was deleted meanwhile remembers the link instead, and brings it back when it is restored itself.
    """
    records = await others.some(other_ids)
    for record in records:
        raise_if_frozen(record.get("frozen"))
    pairs = [(other, {**other, side: [*without(other[side], record_id), record_id]}) for other in records]
    await _save(unit, side, pairs)
    live = {other["_id"] for other in records if not other.get("deleted_at")}
    return [other_id for other_id in other_ids if other_id in live]


async def _save(unit: UnitOfWork, side: Side, pairs: list[tuple[Document, Document]]) -> None:
    if side == "log_ids":
        await save_items(unit, pairs)
    else:
        await save_entries(unit, [(before, {**after, "linked": bool(after["plan_ids"])}) for before, after in pairs])


def without(ids: Iterable[str], gone: str) -> list[str]:
    """Return the ids but one."""
    return [one for one in ids if one != gone]
