"""The draft of a log entry that a completion becomes (R27-R30)."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from bridge.domain.forms import Form, Values
from bridge.domain.members.members import MembershipCalendar
from bridge.domain.record.entries import StoredEntry, entry_id, listed
from bridge.domain.statements.completions import Completion
from schemas.forms import ACTIVITY_TYPES, DEFAULT_LOG_TYPE


def automatic_draft(
    completion: Completion,
    member_id: str,
    calendar: MembershipCalendar,
    statement_id: str,
    received_at: datetime,
    form: Form,
    number: int,
) -> StoredEntry:
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


def log_type(activity_type_iri: str | None) -> str:
    """Return the log type of an xAPI activity type; the default for a type that is not listed, or none (R27)."""
    return _LOG_TYPES.get(_without_scheme(activity_type_iri or ""), DEFAULT_LOG_TYPE)


def _without_scheme(iri: str) -> str:
    """``http`` and ``https``, and a slash at the end or none, are mixed up in the wild: the same type."""
    return iri.partition("://")[2].rstrip("/") or iri


_LOG_TYPES = {_without_scheme(iri): value for iri, value in ACTIVITY_TYPES.items()}


def _fitting(form: Form, values: Values) -> dict[str, Any]:
    """Keep what the form has room for, cut to what a member could save; the ledger keeps the whole."""
    fitting: dict[str, Any] = {}
    for name, value in values.items():
        field = form.field(name)
        if field is not None and value is not None and (not field.choices or field.label_of(value)):
            fitting[name] = value[: field.max_length] if isinstance(value, str) else value
    return fitting
