"""A plan item as a document: how one is made, and what is derived from its fields (R1-R15)."""

from __future__ import annotations

import uuid
from collections.abc import Iterable
from datetime import date, datetime
from typing import Any, NotRequired, TypedDict, cast

from bridge.domain.record import forms
from bridge.domain.record.periods import ONE_DAY, MembershipCalendar
from bridge.domain.record.records import StoredRecord, Values, findable, out_of_order, patched
from bridge.errors import FieldError

SORTABLE = ("title", "start_date", "completion_date")
"""What the plan can be sorted by (R5)."""

MOST_PERIODS = 50
"""How many periods of one item are named; a plan for longer than that is a slip of the pen."""

DROPPED = "not_pursued"
"""The status of an item that the member decided against (R14): nothing is expected to be logged for it."""


class PlanSpan(TypedDict):
    """The first and the last day of a plan item, YYYY-MM-DD."""

    first: str
    last: str


class StoredPlanItem(StoredRecord):
    """A document of ``plan_items``."""

    log_ids: list[str]  # the log entries that it is linked with
    span: PlanSpan | None  # None without dates
    status: NotRequired[str]  # one of ``forms.STATUSES``
    status_reason: NotRequired[str]
    start_date: NotRequired[str]
    completion_date: NotRequired[str]


def new_item(member_id: str, values: Values, form: forms.Form, at: datetime) -> StoredPlanItem:
    """Make a plan item (R7); it has no number yet."""
    item: dict[str, Any] = {
        "_id": str(uuid.uuid4()),
        "member_id": member_id,
        **forms.DEFAULTS["plan"],
        **{name: value for name, value in values.items() if value is not None},
        "form_version": form.version,
        "log_ids": [],
        "version": 1,
        "created_at": at,
        "updated_at": at,
    }
    return listed(item, form)


def changed(item: StoredPlanItem, changes: Values, form: forms.Form) -> StoredPlanItem:
    """Return an item after a member's change; without a status it is planned again."""
    return listed({**forms.DEFAULTS["plan"], **patched(item, changes)}, form)


def listed(item: Values, form: forms.Form) -> StoredPlanItem:
    """Return a live item with all that lists need; ``span`` is its first and last day, for finding it by period."""
    days = _days(item)
    full: dict[str, Any] = {
        **item,
        "complete": forms.is_complete(form, item, draft=False),
        "missing_fields": forms.missing_fields(form, item),
        "span": {"first": min(days), "last": max(days)} if days else None,
        "listed": True,
    }
    return cast("StoredPlanItem", {**full, **findable(form, full, SORTABLE)})


def period_ids(item: Values, calendar: MembershipCalendar) -> list[str]:
    """Return the periods that an item's days touch, oldest first and ``MOST_PERIODS`` at most (R1)."""
    days = _days(item)
    if not days:
        return []
    period, last = calendar.period_for(date.fromisoformat(min(days))), date.fromisoformat(max(days))
    period_ids = [period.id]
    while period.end < last and len(period_ids) < MOST_PERIODS:
        period = calendar.period_for(period.end + ONE_DAY)
        period_ids.append(period.id)
    return period_ids


def _days(item: Values) -> list[str]:
    return [day for day in (item.get("start_date"), item.get("completion_date")) if day]


def faults(form: forms.Form, values: Values, changes: Iterable[str]) -> list[FieldError]:
    """Return what is wrong with a change: a completion date before the start date."""
    return out_of_order(form, values, changes, "start_date", "completion_date")
