"""The write path of a member's record: what saves log entries and plan items, and files entries under their periods."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date
from typing import Any

from bridge.domain.record.periods import MembershipCalendar
from bridge.services.unit_of_work import UnitOfWork

Document = dict[str, Any]
Pair = tuple[Document, Document]


async def save_entries(unit: UnitOfWork, pairs: Iterable[Pair]) -> None:
    """Write log entries; each pair is an entry before and after, and the version goes up."""
    await unit.log.save([(before, _next_version(unit, before, after)) for before, after in pairs])


async def save_items(unit: UnitOfWork, pairs: Iterable[Pair]) -> None:
    """Write plan items; each pair is an item before and after, and the version goes up."""
    await unit.plan.save([(before, _next_version(unit, before, after)) for before, after in pairs])


def refiled(entry: Document, calendar: MembershipCalendar) -> Document:
    """Return an entry in the period that its date lies in now (R82), with a new version if that is another one."""
    period_id = calendar.period_for(date.fromisoformat(entry["date"])).id if entry.get("date") else None
    if period_id == entry.get("period_id"):
        return entry
    return {**entry, "period_id": period_id, "version": entry["version"] + 1}


def _next_version(unit: UnitOfWork, before: Document, after: Document) -> Document:
    return {**after, "version": before["version"] + 1, "updated_at": unit.at}
