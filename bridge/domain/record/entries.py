"""A CPD log entry as a document: how one is made, and what is derived from its fields (R16, R25-R38)."""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Sequence
from datetime import date, datetime
from typing import Any, Literal, NotRequired, TypedDict, cast

from bridge.domain import forms
from bridge.domain.forms import Values, in_future, out_of_order, patched
from bridge.domain.list_keys import findable
from bridge.domain.members.members import FreezeMark, MembershipCalendar, StoredMember, frozen_on
from bridge.domain.record.records import StoredRecord
from bridge.errors import FieldError

NAMESPACE = uuid.UUID("6d0c8a52-6f0b-5c39-9d53-0a4f6a1d1c53")
"""Root of the ids that are derived, so that writing twice is writing once (design.md, Data)."""

Source = Literal["learning_centre", "manual", "import"]
"""How an entry came into the log (R32)."""

SORTABLE = ("title", "type", "date", "complete")
"""What the log can be sorted by (R22)."""

NOT_COPIED = ("date", "start_date", "reference")
"""Fields that a copy leaves empty: the new activity is on another day, and has a number of its own (R77)."""


class StoredProvenance(TypedDict):
    """The provenance of an automatic entry (R31)."""

    statement_ids: list[str]  # the statements behind it, the one that made it first
    activity_id: str
    registration: str | None
    actor_key: str
    received_at: datetime
    original_title: str | None
    original_description: str | None
    voided: NotRequired[bool]
    voided_ids: NotRequired[list[str]]  # those of the statements that were voided (decision 8)


class StoredEntry(StoredRecord):
    """A document of ``log_entries``.

    Of an automatic one that was withdrawn or purged a tombstone stays, without ``listed`` (decisions 5, 8).
    """

    source: Source
    draft: bool
    period_id: str | None  # the year that ``date`` lies in
    plan_ids: list[str]  # the plan items that it is linked with
    linked: bool  # whether there are any
    type: NotRequired[str]
    date: NotRequired[str]  # YYYY-MM-DD
    minutes: NotRequired[int]
    provenance: NotRequired[StoredProvenance]  # of an automatic entry
    merge_keys: NotRequired[list[str]]  # one entry of a member has each (decision 7)
    touched_at: NotRequired[datetime]  # when the member changed it last
    finished_at: NotRequired[datetime | None]  # when it was a draft no more
    withdrawn_at: NotRequired[datetime]
    purged: NotRequired[bool]


def entry_id(member_id: str, statement_id: str) -> str:
    """Return the id of the entry that a statement makes for a member: the same on every delivery."""
    name = f"{member_id}/{statement_id}".encode()
    digest = hashlib.sha1(NAMESPACE.bytes + name, usedforsecurity=False).digest()  # as ``uuid.uuid5``, in half the time
    return str(uuid.UUID(bytes=digest[:16], version=5))


def joined(entry: StoredEntry, statement_id: str, merge_keys: Sequence[str]) -> StoredEntry:
    """Return an entry with one more statement behind it, and its keys (decision 7)."""
    provenance = _provenance(entry)
    statement_ids = [*provenance["statement_ids"], statement_id]
    return {
        **entry,
        "provenance": {**provenance, "statement_ids": statement_ids},
        "merge_keys": [*entry.get("merge_keys", ()), *merge_keys],
        "version": entry["version"] + 1,
    }


def is_untouched(entry: StoredEntry, statement_id: str) -> bool:
    """Say whether an entry is a draft that no other statement stands behind and no member has changed (decision 8)."""
    return entry.get("touched_at") is None and statements_of(entry) == [statement_id]


def withdrawn(entry: StoredEntry, at: datetime) -> StoredEntry:
    """Return the tombstone of an entry whose statement was voided; the same activity may make another (decision 8)."""
    rest = entry.copy()
    rest.pop("merge_keys", None)
    rest.pop("listed", None)
    return {**rest, "deleted_at": at, "withdrawn_at": at, "updated_at": at, "version": entry["version"] + 1}


def flagged(entry: StoredEntry, statement_id: str) -> StoredEntry:
    """Return an entry that says that a statement behind it was voided (decision 8)."""
    provenance = _provenance(entry)
    voided_ids = provenance.get("voided_ids", [])
    if statement_id in voided_ids:
        return entry
    after: StoredProvenance = {**provenance, "voided": True, "voided_ids": [*voided_ids, statement_id]}
    return {**entry, "provenance": after, "version": entry["version"] + 1}


def statements_of(entry: StoredEntry) -> list[str]:
    """Return the ids of the statements behind an entry; none of one that a member wrote."""
    return entry["provenance"]["statement_ids"] if "provenance" in entry else []


def _provenance(entry: StoredEntry) -> StoredProvenance:
    assert "provenance" in entry, "only automatic entries have statements behind them"
    return entry["provenance"]


def new_entry(
    member_id: str,
    values: Values,
    *,
    draft: bool,
    source: Source,
    form: forms.Form,
    calendar: MembershipCalendar,
    at: datetime,
) -> StoredEntry:
    """Make an entry that a member writes, by hand or by import (R32); it has no number yet."""
    entry: dict[str, Any] = {
        "_id": str(uuid.uuid4()),
        "member_id": member_id,
        **{name: value for name, value in values.items() if value is not None},
        "source": source,
        "draft": draft,
        "form_version": form.version,
        "plan_ids": [],
        "version": 1,
        "created_at": at,
        "updated_at": at,
        "touched_at": at,
        "finished_at": None if draft else at,
    }
    return listed(entry, form, calendar)


def changed(
    entry: StoredEntry,
    changes: Values,
    draft: bool | None,
    form: forms.Form,
    calendar: MembershipCalendar,
    at: datetime,
) -> StoredEntry:
    """Return an entry after a member's change; ``draft`` None leaves it as it is (R30, R37)."""
    now = entry["draft"] if draft is None else draft
    finish_time = None if now else entry.get("finished_at") or at
    values = {**patched(entry, changes), "draft": now, "finished_at": finish_time, "touched_at": at}
    return listed(values, form, calendar)


def listed(entry: Values, form: forms.Form, calendar: MembershipCalendar) -> StoredEntry:
    """Return a live entry with all that lists need: what follows from its fields, sort keys, search tokens."""
    full = {
        **entry,
        "complete": forms.is_complete(form, entry, entry["draft"]),
        "missing_fields": forms.missing_fields(form, entry),
        "period_id": _period_id(entry, calendar),
        "linked": bool(entry.get("plan_ids")),
        "listed": True,
    }
    return cast("StoredEntry", {**full, **findable(form, full, SORTABLE)})


def _period_id(entry: Values, calendar: MembershipCalendar) -> str | None:
    """Return the period that an entry's day lies in (R16)."""
    day = entry.get("date")
    return calendar.period_for(date.fromisoformat(day)).id if day else None


def faults(form: forms.Form, values: Values, changes: Values, today: date) -> list[FieldError]:
    """Return what is wrong with a change: a date to come, or a start after the end (R33)."""
    future = in_future(form, changes, "date", today) + in_future(form, changes, "start_date", today)
    return future + out_of_order(form, values, changes, "start_date", "date")


def copied(entry: Values, form: forms.Form) -> dict[str, Any]:
    """Return the fields of a copy: all that the member wrote, without days and number (R77)."""
    return {name: value for name, value in forms.values_of(form, entry).items() if name not in NOT_COPIED}


def freeze_of(entry: StoredEntry, member: StoredMember) -> FreezeMark | None:
    """Return what freezes an entry: its own mark, or the freeze of the period that its day lies in (R56)."""
    day = entry.get("date")
    return entry.get("frozen") or (frozen_on(member, date.fromisoformat(day)) if day else None)


def refiled(entry: StoredEntry, calendar: MembershipCalendar) -> StoredEntry:
    """Return an entry in the period that its date lies in now (R82), with a new version if that is another one."""
    period_id = _period_id(entry, calendar)
    if period_id == entry.get("period_id"):
        return entry
    return {**entry, "period_id": period_id, "version": entry["version"] + 1}


def with_plan_ids(entry: StoredEntry, plan_ids: list[str]) -> StoredEntry:
    """Return an entry that is linked with these plan items, and with no others (R47)."""
    return {**entry, "plan_ids": plan_ids, "linked": bool(plan_ids)}
