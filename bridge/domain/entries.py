"""A CPD log entry as a document: how an automatic draft is made, and what is derived from its fields."""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Mapping
from datetime import date, datetime
from typing import Any, cast

from bridge.domain import forms, keywords
from bridge.domain.completions import Completion
from bridge.domain.periods import MembershipCalendar
from schemas.forms import log_type

Values = Mapping[str, Any]

NAMESPACE = uuid.UUID("6d0c8a52-6f0b-5c39-9d53-0a4f6a1d1c53")
"""Root of the ids that are derived, so that writing twice is writing once (design.md, Data)."""

SORTABLE = ("title", "type", "date")


def entry_id(member_id: str, statement_id: str) -> str:
    """Return the id of the entry that a statement makes for a member: the same on every delivery."""
    return str(uuid.uuid5(NAMESPACE, f"{member_id}/{statement_id}"))


def automatic_draft(
    completion: Completion, member_id: str, calendar: MembershipCalendar, statement_id: str, received_at: datetime
) -> dict[str, Any]:
    """Make the draft entry of a completion (R27-R30): pre-filled facts, the reflections left to the member."""
    form = forms.current("log")
    values: dict[str, Any] = {
        "title": completion.title,
        "description": completion.description,
        "type": log_type(completion.activity_type),
        "date": completion.day.isoformat(),
    }
    if completion.minutes is not None:
        values["minutes"] = completion.minutes
    values = _fitting(form, values)
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
        **derived(values, draft=True, form=form, calendar=calendar),
    }


def derived(values: Values, *, draft: bool, form: forms.Form, calendar: MembershipCalendar) -> dict[str, Any]:
    """Compute what follows from an entry's fields: completeness (R38), the period (R16), search and sort keys."""
    day = values.get("date")
    return {
        "complete": forms.is_complete(form, values, draft),
        "missing_fields": forms.missing_fields(form, values),
        "period_id": calendar.period_for(date.fromisoformat(day)).id if day else None,
        "order": {name: order_key(values.get(name)) for name in SORTABLE},
        "tokens": keywords.tokens(_texts(form, values)),
    }


def _texts(form: forms.Form, values: Values) -> Iterator[str]:
    """What a keyword search looks through: every field that holds words (R20)."""
    for field in form.fields:
        value = values.get(field.name)
        if isinstance(value, str):
            yield value
        elif isinstance(value, list):
            yield from (str(part) for part in cast("list[object]", value))


def _fitting(form: forms.Form, values: Values) -> dict[str, Any]:
    """Cut texts to what the form allows, as a member could not save them otherwise; the ledger keeps the whole."""
    longest = {field.name: field.max_length for field in form.fields}
    return {name: value[: longest.get(name)] if isinstance(value, str) else value for name, value in values.items()}


def order_key(value: object) -> dict[str, Any]:
    """Return a sort key that puts empty values last in both directions: sort by ``empty``, then by ``key``."""
    text = "" if value is None else str(value).casefold()[:200]
    return {"empty": not text, "key": text}
