"""A CPD log entry as a document: how one is made, and what is derived from its fields (R16, R25-R38)."""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Sequence
from datetime import date, datetime
from typing import Any

from bridge.domain.record import forms
from bridge.domain.record.periods import MembershipCalendar
from bridge.domain.record.records import Document, Values, findable, in_future, out_of_order, patched
from bridge.domain.statements.completions import Completion
from bridge.errors import FieldError
from schemas.forms import log_type

NAMESPACE = uuid.UUID("6d0c8a52-6f0b-5c39-9d53-0a4f6a1d1c53")
"""Root of the ids that are derived, so that writing twice is writing once (design.md, Data)."""

SORTABLE = ("title", "type", "date", "complete")
"""What the log can be sorted by (R22)."""

NOT_COPIED = ("date", "start_date", "reference")
"""Fields that a copy leaves empty: the new activity is on another day, and has a number of its own (R77)."""


def entry_id(member_id: str, statement_id: str) -> str:
    """Return the id of the entry that a statement makes for a member: the same on every delivery."""
    name = f"{member_id}/{statement_id}".encode()
    digest = hashlib.sha1(NAMESPACE.bytes + name, usedforsecurity=False).digest()  # as ``uuid.uuid5``, in half the time
    return str(uuid.UUID(bytes=digest[:16], version=5))


def automatic_draft(
    completion: Completion,
    member_id: str,
    calendar: MembershipCalendar,
    statement_id: str,
    received_at: datetime,
    form: forms.Form,
    number: int,
) -> Document:
    """Make the draft entry of a completion (R27-R30): pre-filled facts, the reflections left to the member.

    ``number`` is the next of the member's log (R48).
    """
    values = _fitting(
        form,
        {
            "title": completion.title,
            "description": completion.description,
            "type": log_type(completion.activity_type),
            "date": completion.day.isoformat(),
            "minutes": completion.minutes,
        },
    )
    provenance = {
        "statement_ids": [statement_id],
        "activity_id": completion.activity_id,
        "registration": completion.registration,
        "actor_key": completion.actor_key,
        "received_at": received_at,
        "original_title": values["title"],
        "original_description": values["description"],
    }
    draft = {
        "_id": entry_id(member_id, statement_id),
        "member_id": member_id,
        "reference": f"L{number}",
        **values,
        "source": "learning_centre",
        "draft": True,
        "form_version": form.version,
        "plan_ids": [],
        "provenance": provenance,
        "merge_keys": completion.merge_keys,
        "version": 1,
        "created_at": received_at,
        "updated_at": received_at,
    }
    return listed(draft, form, calendar)


def joined(entry: Document, statement_id: str, merge_keys: Sequence[str]) -> Document:
    """Return an entry with one more statement behind it, and its keys (decision 7)."""
    provenance = entry["provenance"]
    statement_ids = [*provenance["statement_ids"], statement_id]
    return {
        **entry,
        "provenance": {**provenance, "statement_ids": statement_ids},
        "merge_keys": [*entry.get("merge_keys", ()), *merge_keys],
        "version": entry["version"] + 1,
    }


def is_untouched(entry: Document, statement_id: str) -> bool:
    """Say whether an entry is a draft that no other statement stands behind and no member has changed (decision 8)."""
    return entry.get("touched_at") is None and entry["provenance"]["statement_ids"] == [statement_id]


def withdrawn(entry: Document, at: datetime) -> Document:
    """Return the tombstone of an entry whose statement was voided; the same activity may make another (decision 8)."""
    rest = {name: value for name, value in entry.items() if name not in {"merge_keys", "listed"}}
    return {**rest, "deleted_at": at, "withdrawn_at": at, "updated_at": at, "version": entry["version"] + 1}


def flagged(entry: Document, statement_id: str) -> Document:
    """Return an entry that says that a statement behind it was voided (decision 8)."""
    provenance = entry["provenance"]
    voided_ids = provenance.get("voided_ids", [])
    if statement_id in voided_ids:
        return entry
    flags = {"voided": True, "voided_ids": [*voided_ids, statement_id]}
    return {**entry, "provenance": {**provenance, **flags}, "version": entry["version"] + 1}


def new_entry(
    member_id: str,
    values: Values,
    *,
    draft: bool,
    source: str,
    form: forms.Form,
    calendar: MembershipCalendar,
    at: datetime,
) -> Document:
    """Make an entry that a member writes, by hand or by import (R32); it has no number yet."""
    entry: Document = {
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
    entry: Document, changes: Values, draft: bool | None, form: forms.Form, calendar: MembershipCalendar, at: datetime
) -> Document:
    """Return an entry after a member's change; ``draft`` None leaves it as it is (R30, R37)."""
    now = entry["draft"] if draft is None else draft
    finished = None if now else entry.get("finished_at") or at
    values = {**patched(entry, changes), "draft": now, "finished_at": finished, "touched_at": at}
    return listed(values, form, calendar)


def listed(entry: Document, form: forms.Form, calendar: MembershipCalendar) -> Document:
    """Return a live entry with all that lists need: what is derived, sort keys, search tokens."""
    known = derived(entry, draft=entry["draft"], form=form, calendar=calendar)
    full = {**entry, **known, "linked": bool(entry.get("plan_ids")), "listed": True}
    return {**full, **findable(form, full, SORTABLE)}


def derived(values: Values, *, draft: bool, form: forms.Form, calendar: MembershipCalendar) -> Document:
    """Compute what follows from an entry's fields: completeness (R38) and the period (R16)."""
    day = values.get("date")
    return {
        "complete": forms.is_complete(form, values, draft),
        "missing_fields": forms.missing_fields(form, values),
        "period_id": calendar.period_for(date.fromisoformat(day)).id if day else None,
    }


def faults(form: forms.Form, values: Values, changes: Values, today: date) -> list[FieldError]:
    """Return what is wrong with a change: a date to come, or a start after the end (R33)."""
    future = in_future(form, changes, "date", today) + in_future(form, changes, "start_date", today)
    return future + out_of_order(form, values, changes, "start_date", "date")


def copied(entry: Values, form: forms.Form) -> Document:
    """Return the fields of a copy: all that the member wrote, without days and number (R77)."""
    return {f.name: entry[f.name] for f in form.fields if f.name in entry and f.name not in NOT_COPIED}


def _fitting(form: forms.Form, values: dict[str, Any]) -> Document:
    """Keep what the form has room for, cut to what a member could save; the ledger keeps the whole."""
    fitting: Document = {}
    for name, value in values.items():
        field = form.field(name)
        if field is not None and value is not None and (not field.choices or field.label_of(value)):
            fitting[name] = value[: field.max_length] if isinstance(value, str) else value
    return fitting


def refiled(entry: Document, calendar: MembershipCalendar) -> Document:
    """Return an entry in the period that its date lies in now (R82), with a new version if that is another one."""
    period_id = calendar.period_for(date.fromisoformat(entry["date"])).id if entry.get("date") else None
    if period_id == entry.get("period_id"):
        return entry
    return {**entry, "period_id": period_id, "version": entry["version"] + 1}


def with_plan_ids(entry: Document, plan_ids: list[str]) -> Document:
    """Return an entry that is linked with these plan items, and with no others (R47)."""
    return {**entry, "plan_ids": plan_ids, "linked": bool(plan_ids)}
