"""The write path of a member's record: log entries and plan items are read for a change, linked, filed and saved here.

Plan and log are linked many to many (R47, R48). Each side keeps the ids of the other: ``plan_ids`` and ``log_ids`` of a
live record name live records only. When one is deleted, the others let it go while it keeps what it had, so that
restoring it brings the links back.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import date, datetime, timedelta
from typing import TypeVar

from bridge.domain.members.members import StoredMember
from bridge.domain.record.entries import StoredEntry, refiled, with_plan_ids
from bridge.domain.record.periods import MembershipCalendar, frozen_during, frozen_on
from bridge.domain.record.plan import StoredPlanItem, days_of
from bridge.domain.record.records import RESTORABLE_DAYS, StoredRecord, Values
from bridge.errors import Conflict, FieldError, NotFound, ValidationFailed
from bridge.services.unit_of_work import UnitOfWork, raise_if_frozen
from bridge.store.record.records import MemberRecords
from bridge.texts import Text

R = TypeVar("R", bound=StoredRecord)
Check = Callable[[int], None]
"""Raises ``StaleVersion`` when the version it is given is not one that the client would change."""

ENTRY = Text("There is no such log entry in your record.")
ITEM = Text("There is no such plan item in your record.")
"""What is said where there is none."""


async def get_or_404(records: MemberRecords[R], record_id: str, absent: Text) -> R:
    """Return a live record; raises ``NotFound``."""
    record = await records.get(record_id)
    if record is None:
        raise NotFound(absent)
    return record


async def get_for_update(records: MemberRecords[R], record_id: str, absent: Text, check: Check) -> R:
    """Return a live record that may be changed; raises ``NotFound``, ``RecordFrozen`` or ``StaleVersion``."""
    record = await get_or_404(records, record_id, absent)
    raise_if_frozen(record.get("frozen"))
    check(record["version"])
    return record


async def get_for_restore(records: MemberRecords[R], record_id: str, absent: Text, at: datetime) -> R:
    """Return a record for restoring, deleted or live (then there is nothing to do).

    Raises ``NotFound`` for one that never was, or was withdrawn; ``Conflict`` when it was deleted too long ago.
    """
    record = await records.get_any(record_id)
    if record is None or record.get("withdrawn_at"):
        raise NotFound(absent)
    deleted_at = record.get("deleted_at")
    if deleted_at and at - deleted_at > timedelta(days=RESTORABLE_DAYS):
        raise Conflict(
            Text("This was deleted more than {days} days ago and cannot be brought back.", days=RESTORABLE_DAYS)
        )
    return record


def raise_for_errors(field_errors: Iterable[FieldError]) -> None:
    """Raise ``ValidationFailed`` when there is any error."""
    errors = list(field_errors)
    if errors:
        raise ValidationFailed(Text("See errors for each field."), field_errors=errors)


def raise_if_days_frozen(unit: UnitOfWork, *days: str | None) -> None:
    """Raise ``RecordFrozen`` when a record would leave or enter a frozen period (R56)."""
    for day in days:
        if day:
            unit.raise_if_day_frozen(date.fromisoformat(day))


def raise_if_span_frozen(unit: UnitOfWork, item: Values) -> None:
    """Raise ``RecordFrozen`` when a plan item would come to lie in a frozen period (decision 1)."""
    days = days_of(item)
    if days:
        raise_if_frozen(frozen_during(unit.member, min(days), max(days)))


def raise_if_entry_frozen(entry: StoredEntry, member: StoredMember) -> None:
    """Raise ``RecordFrozen`` when an entry, or the period that its day lies in, is frozen (R56)."""
    day = entry.get("date")
    raise_if_frozen(entry.get("frozen") or (frozen_on(member, date.fromisoformat(day)) if day else None))


async def save_entries(unit: UnitOfWork, pairs: Iterable[tuple[StoredEntry, StoredEntry]]) -> None:
    """Write log entries; each pair is an entry before and after, and the version goes up."""
    at = unit.at
    await unit.log.save(
        [(before, {**after, "version": before["version"] + 1, "updated_at": at}) for before, after in pairs]
    )


async def save_items(unit: UnitOfWork, pairs: Iterable[tuple[StoredPlanItem, StoredPlanItem]]) -> None:
    """Write plan items; each pair is an item before and after, and the version goes up."""
    at = unit.at
    await unit.plan.save(
        [(before, {**after, "version": before["version"] + 1, "updated_at": at}) for before, after in pairs]
    )


async def save_deleted_entry(unit: UnitOfWork, entry: StoredEntry) -> None:
    """Delete an entry, softly, and take it out of its items' links; raises ``RecordFrozen`` for a frozen one."""
    items = await _get_unfrozen(unit.plan, entry["plan_ids"])
    await save_items(unit, [(item, {**item, "log_ids": _without(item["log_ids"], entry["_id"])}) for item in items])
    after: StoredEntry = {**entry, "deleted_at": unit.at, "touched_at": unit.at}
    after.pop("listed", None)
    await save_entries(unit, [(entry, after)])


async def save_deleted_item(unit: UnitOfWork, item: StoredPlanItem) -> None:
    """Delete an item, softly, and take it out of its entries' links; raises ``RecordFrozen`` for a frozen one."""
    entries = await _get_unfrozen(unit.log, item["log_ids"])
    pairs = [(entry, with_plan_ids(entry, _without(entry["plan_ids"], item["_id"]))) for entry in entries]
    await save_entries(unit, pairs)
    after: StoredPlanItem = {**item, "deleted_at": unit.at}
    after.pop("listed", None)
    await save_items(unit, [(item, after)])


async def relink_entry(unit: UnitOfWork, entry: StoredEntry) -> list[str]:
    """Put an entry that is being restored back into its items' links; returns the ids of those that are live.

    One that was deleted meanwhile remembers the link instead, and brings it back when it is restored itself.
    """
    plan_ids = entry["plan_ids"]
    items = await _get_unfrozen(unit.plan, plan_ids)
    await save_items(unit, [(item, {**item, "log_ids": _with(item["log_ids"], entry["_id"])}) for item in items])
    return _live(items, plan_ids)


async def relink_item(unit: UnitOfWork, item: StoredPlanItem) -> list[str]:
    """Put an item that is being restored back into its entries' links; as ``relink_entry``."""
    entries = await _get_unfrozen(unit.log, item["log_ids"])
    await save_entries(
        unit, [(entry, with_plan_ids(entry, _with(entry["plan_ids"], item["_id"]))) for entry in entries]
    )
    return _live(entries, item["log_ids"])


async def save_link(unit: UnitOfWork, entry: StoredEntry, item: StoredPlanItem, *, linked: bool) -> None:
    """Link an entry with an item, or take the link away; what is so already stays as it is."""
    if (item["_id"] in entry["plan_ids"]) == linked:
        return
    change = _with if linked else _without
    plan_ids, log_ids = change(entry["plan_ids"], item["_id"]), change(item["log_ids"], entry["_id"])
    await save_entries(unit, [(entry, {**with_plan_ids(entry, plan_ids), "touched_at": unit.at})])
    await save_items(unit, [(item, {**item, "log_ids": log_ids})])


async def refile_entries(
    records: MemberRecords[StoredEntry], calendar: MembershipCalendar, beyond: str, limit: int
) -> str | None:
    """File entries under the periods that their dates lie in now (R82); a frozen one stays where it is.

    Takes on up to ``limit`` entries after the id ``beyond``; returns the last one's id, or None at the end.
    """
    entries = await records.in_order(beyond, limit)
    await records.save([(entry, refiled(entry, calendar)) for entry in entries if not entry.get("frozen")])
    return entries[-1]["_id"] if len(entries) == limit else None


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
