"""Links between the plan and the log, many to many (R47, R48).

Each side keeps the ids of the other: ``plan_ids`` and ``log_ids`` of a live record name live records only. When one is
deleted, the others let it go while it keeps what it had, so that restoring it brings the links back.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TypeVar

from bridge.domain.record import StoredEntry, StoredPlanItem, StoredRecord, with_plan_ids
from bridge.services.unit_of_work import ENTRY, ITEM, UnitOfWork, UnitsOfWork, get_or_404, raise_if_frozen
from bridge.store import MemberRecords

R = TypeVar("R", bound=StoredRecord)


class RecordLinks:
    """Makes and takes away links; both are safe to repeat."""

    def __init__(self, units: UnitsOfWork) -> None:
        self._units = units

    async def link(self, member_id: str, entry_id: str, plan_id: str) -> None:
        """Link an entry with a plan item; raises ``NotFound`` or ``RecordFrozen``."""
        await self._units.run(member_id, lambda unit: _set_link(unit, entry_id, plan_id, linked=True))

    async def unlink(self, member_id: str, entry_id: str, plan_id: str) -> None:
        """Take a link away; raises ``NotFound`` or ``RecordFrozen``."""
        await self._units.run(member_id, lambda unit: _set_link(unit, entry_id, plan_id, linked=False))


async def _set_link(unit: UnitOfWork, entry_id: str, plan_id: str, *, linked: bool) -> None:
    entry = await get_or_404(unit.log, entry_id, ENTRY)
    item = await get_or_404(unit.plan, plan_id, ITEM)
    raise_if_frozen(entry.get("frozen"))
    raise_if_frozen(item.get("frozen"))
    await save_link(unit, entry, item, linked=linked)


async def save_deleted_entry(unit: UnitOfWork, entry: StoredEntry) -> None:
    """Delete an entry, softly, and take it out of its items' links; raises ``RecordFrozen`` for a frozen one."""
    items = await _get_unfrozen(unit.plan, entry["plan_ids"])
    await unit.save_items([(item, {**item, "log_ids": _without(item["log_ids"], entry["_id"])}) for item in items])
    after: StoredEntry = {**entry, "deleted_at": unit.at, "touched_at": unit.at}
    after.pop("listed", None)
    await unit.save_entries([(entry, after)])


async def save_deleted_item(unit: UnitOfWork, item: StoredPlanItem) -> None:
    """Delete an item, softly, and take it out of its entries' links; raises ``RecordFrozen`` for a frozen one."""
    entries = await _get_unfrozen(unit.log, item["log_ids"])
    pairs = [(entry, with_plan_ids(entry, _without(entry["plan_ids"], item["_id"]))) for entry in entries]
    await unit.save_entries(pairs)
    after: StoredPlanItem = {**item, "deleted_at": unit.at}
    after.pop("listed", None)
    await unit.save_items([(item, after)])


async def relink_entry(unit: UnitOfWork, entry: StoredEntry) -> list[str]:
    """Put an entry that is being restored back into its items' links; returns the ids of those that are live.

    One that was deleted meanwhile remembers the link instead, and brings it back when it is restored itself.
    """
    plan_ids = entry["plan_ids"]
    items = await _get_unfrozen(unit.plan, plan_ids)
    await unit.save_items([(item, {**item, "log_ids": _with(item["log_ids"], entry["_id"])}) for item in items])
    return _live(items, plan_ids)


async def relink_item(unit: UnitOfWork, item: StoredPlanItem) -> list[str]:
    """Put an item that is being restored back into its entries' links; as ``relink_entry``."""
    entries = await _get_unfrozen(unit.log, item["log_ids"])
    await unit.save_entries([(entry, with_plan_ids(entry, _with(entry["plan_ids"], item["_id"]))) for entry in entries])
    return _live(entries, item["log_ids"])


async def save_link(unit: UnitOfWork, entry: StoredEntry, item: StoredPlanItem, *, linked: bool) -> None:
    """Link an entry with an item, or take the link away; what is so already stays as it is."""
    if (item["_id"] in entry["plan_ids"]) == linked:
        return
    change = _with if linked else _without
    plan_ids, log_ids = change(entry["plan_ids"], item["_id"]), change(item["log_ids"], entry["_id"])
    await unit.save_entries([(entry, {**with_plan_ids(entry, plan_ids), "touched_at": unit.at})])
    await unit.save_items([(item, {**item, "log_ids": log_ids})])


async def _get_unfrozen(records: MemberRecords[R], record_ids: Iterable[str]) -> list[R]:
    """Return linked records, deleted ones too; raises ``RecordFrozen`` when one is frozen."""
    linked_records = await records.some(record_ids)
    for record in linked_records:
        raise_if_frozen(record.get("frozen"))
    return linked_records


def _live(records: Iterable[StoredRecord], record_ids: Iterable[str]) -> list[str]:
    live = {record["_id"] for record in records if not record.get("deleted_at")}
    return [record_id for record_id in record_ids if record_id in live]


def _with(record_ids: Iterable[str], record_id: str) -> list[str]:
    return [*_without(record_ids, record_id), record_id]


def _without(record_ids: Iterable[str], record_id: str) -> list[str]:
    return [linked_id for linked_id in record_ids if linked_id != record_id]
