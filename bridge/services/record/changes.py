"""Steps that every change of a plan item or log entry goes through."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import date, datetime, timedelta
from typing import Any

from bridge.domain.record.forms import Form
from bridge.domain.record.records import RESTORABLE_DAYS, misfits
from bridge.errors import Conflict, FieldError, NotFound, ValidationFailed
from bridge.services.unit_of_work import UnitOfWork, raise_if_frozen
from bridge.store.record.records import MemberRecords

Document = dict[str, Any]
Check = Callable[[int], None]
"""Raises ``StaleVersion`` when the version it is given is not one that the client would change."""


async def get_or_404(records: MemberRecords, record_id: str, kind: str) -> Document:
    """Return a live record; raises ``NotFound``."""
    record = await records.get(record_id)
    if record is None:
        raise NotFound(f"There is no such {kind} in your record.")
    return record


async def get_for_update(records: MemberRecords, record_id: str, kind: str, check: Check) -> Document:
    """Return a live record that may be changed; raises ``NotFound``, ``RecordFrozen`` or ``StaleVersion``."""
    record = await get_or_404(records, record_id, kind)
    raise_if_frozen(record.get("frozen"))
    check(record["version"])
    return record


async def get_for_restore(records: MemberRecords, record_id: str, kind: str, at: datetime) -> Document:
    """Return a record for restoring, deleted or live (then there is nothing to do).

    Raises ``NotFound`` for one that never was, or was withdrawn; ``Conflict`` when it was deleted too long ago.
    """
    record = await records.get_any(record_id)
    if record is None or record.get("withdrawn_at"):
        raise NotFound(f"There is no such {kind} in your record.")
    deleted_at = record.get("deleted_at")
    if deleted_at and at - deleted_at > timedelta(days=RESTORABLE_DAYS):
        raise Conflict(f"This was deleted more than {RESTORABLE_DAYS} days ago and cannot be brought back.")
    return record


def raise_for_errors(errors: Iterable[FieldError]) -> None:
    """Raise ``ValidationFailed`` when there is any fault."""
    field_errors = list(errors)
    if field_errors:
        raise ValidationFailed("See errors for each field.", field_errors=field_errors)


def validate_against_form(form: Form, changes: Document) -> None:
    """Raise ``ValidationFailed`` for what a record's own version of the form does not take."""
    raise_for_errors(misfits(form, changes))


def raise_if_days_frozen(unit: UnitOfWork, *days: str | None) -> None:
    """Raise ``RecordFrozen`` when a record would leave or enter a frozen period (R56)."""
    for day in days:
        if day:
            unit.raise_if_day_frozen(date.fromisoformat(day))


def raise_if_span_frozen(unit: UnitOfWork, item: Document) -> None:
    """Raise ``RecordFrozen`` when a plan item would come to lie in a frozen period (decision 1)."""
    days = [day for day in (item.get("start_date"), item.get("completion_date")) if day]
    for freeze in unit.member.get("frozen") or ():
        if days and min(days) <= freeze["end"] and max(days) >= freeze["start"]:
            raise_if_frozen(freeze)
