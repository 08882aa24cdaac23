"""A CPD log entry as a document: how one is made, and what is derived from its fields (R16, R25-R38)."""

from __future__ import annotations

import uuid
from datetime import date, datetime
from typing import Any

from bridge.domain import forms
from bridge.domain.completions import Completion
from bridge.domain.periods import MembershipCalendar
from bridge.domain.records import Document, Values, findable, in_future, out_of_order, patched
from bridge.errors import FieldFault
from schemas.forms import log_type

NAMESPACE = uuid.UUID("6d0c8a52-6f0b-5c39-9d53-0a4f6a1d1c53")
"""Root of the ids that are derived, so that writing twice is writing once (design.md, Data)."""

SORTABLE = ("title", "type", "date", "complete")
"""What the log can be sorted by (R22)."""

UNDATED = "undated"
"""The tally of entries without a date: they belong to no period, and are shown with the current one (R76)."""

NOT_COPIED = ("date", "start_date", "reference")
"""Fields that a copy leaves empty: the new activity is on another day, and has a number of its own (R77)."""


def entry_id(member_id: str, statement_id: str) -> str:
    """Return the id of the entry that a statement makes for a member: the same on every delivery."""
    return str(uuid.uuid5(NAMESPACE, f"{member_id}/{statement_id}"))


def automatic_draft(
    completion: Completion,
    member_id: str,
    calendar: MembershipCalendar,
    statement_id: str,
    received_at: datetime,
    form: forms.Form,
) -> Document:
    """Make the draft entry of a completion (R27-R30): pre-filled facts, the reflections left to the member.

    ``arrived`` says that it is not in any list yet: its number, its sort keys and its search tokens follow when the
    member's record is next looked at (``services.intake``), so that recording is quick.
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
    return {
        "_id": entry_id(member_id, statement_id),
        "member_id": member_id,
        **values,
        "source": "learning_centre",
        "draft": True,
        "form_version": form.version,
        "provenance": provenance,
        "merge_keys": completion.merge_keys,
        "version": 1,
        "created_at": received_at,
        "updated_at": received_at,
        "arrived": True,
        **derived(values, draft=True, form=form, calendar=calendar),
    }


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
    full = {**{name: value for name, value in entry.items() if name != "arrived"}, **known, "listed": True}
    return {**full, **findable(form, full, SORTABLE)}


def derived(values: Values, *, draft: bool, form: forms.Form, calendar: MembershipCalendar) -> Document:
    """Compute what follows from an entry's fields: completeness (R38) and the period (R16)."""
    day = values.get("date")
    return {
        "complete": forms.is_complete(form, values, draft),
        "missing_fields": forms.missing_fields(form, values),
        "period_id": calendar.period_for(date.fromisoformat(day)).id if day else None,
    }


def faults(form: forms.Form, values: Values, changes: Values, today: date) -> list[FieldFault]:
    """Return what is wrong with a change: a date to come, or a start after the end (R33)."""
    future = in_future(form, changes, "date", today) + in_future(form, changes, "start_date", today)
    return future + out_of_order(form, values, changes, "start_date", "date")


def copied(entry: Values, form: forms.Form) -> Document:
    """Return the fields of a copy: all that the member wrote, without days and number (R77)."""
    return {f.name: entry[f.name] for f in form.fields if f.name in entry and f.name not in NOT_COPIED}


def facts(entry: Values) -> dict[str, int]:
    """Return what a listed entry adds to the tally of its period, as path → number."""
    state = "draft" if entry["draft"] else "complete" if entry["complete"] else "incomplete"
    found = {
        state: 1,
        "unlinked": 0 if entry.get("plan_ids") else 1,
        "minutes": entry.get("minutes") or 0,
        f"types.{entry.get('type') or 'none'}.{state}": 1,
        f"days.{entry.get('date') or 'none'}": 1,
    }
    return {path: number for path, number in found.items() if number}


def _fitting(form: forms.Form, values: dict[str, Any]) -> Document:
    """Keep what the form has room for, cut to what a member could save; the ledger keeps the whole."""
    fitting: Document = {}
    for name, value in values.items():
        field = form.field(name)
        choices = {choice.value for choice in field.choices} if field else set[str]()
        if field is not None and value is not None and (not choices or value in choices):
            fitting[name] = value[: field.max_length] if isinstance(value, str) else value
    return fitting
