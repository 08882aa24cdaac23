"""A plan item as a document: how one is made, and what is derived from its fields (R1-R15)."""

from __future__ import annotations

import uuid
from collections.abc import Iterable
from datetime import date, datetime
from typing import Any, Final, NotRequired, TypedDict, cast

from bridge.domain import forms
from bridge.domain.forms import Values, out_of_order, patched
from bridge.domain.list_keys import findable
from bridge.domain.members.members import (
    ONE_DAY,
    Freeze,
    MembershipCalendar,
    MembershipYear,
    StoredMember,
    frozen_during,
)
from bridge.domain.record.records import StoredRecord
from bridge.errors import FieldError
from bridge.texts import Text

SORTABLE = ("title", "start_date", "completion_date")
"""What the plan can be sorted by (R5)."""

MOST_PERIODS = 50  # how many periods of one item are named; a plan for longer than that is a slip of the pen

DROPPED = "not_pursued"
"""The status of an item that the member decided against (R14)."""

CARRIED_FORWARD: Final = "carried_forward"
"""The status of an item that goes on in a later year, as another item."""

NOT_EXPECTED: Final = (DROPPED, CARRIED_FORWARD)
"""The statuses of items for which nothing is expected to be logged."""

OF_ITS_YEAR: Final = ("reference", "status", "status_reason")
"""Fields, beside the dates, that the item of the next year leaves empty."""


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
    carried_to: NotRequired[str]  # the live item that it goes on as
    carried_from: NotRequired[str]  # the live item that it goes on from
    carried_into: NotRequired[str]  # a day of the year that it was carried into: its place while it has no dates


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
    days = days_of(item)
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
    days = days_of(item)
    if not days:
        return []
    period, last = calendar.period_for(date.fromisoformat(min(days))), date.fromisoformat(max(days))
    period_ids = [period.id]
    while period.end < last and len(period_ids) < MOST_PERIODS:
        period = calendar.period_for(period.end + ONE_DAY)
        period_ids.append(period.id)
    return period_ids


def days_of(item: Values) -> list[str]:
    """Return the days that place an item in years: its dates, or one of the year that it was carried into, or none."""
    dates = [day for day in (item.get("start_date"), item.get("completion_date")) if day]
    return dates or [day for day in (item.get("carried_into"),) if day]


def freeze_of_days(item: Values, member: StoredMember) -> Freeze | None:
    """Return the freeze of a period that the days of an item touch, or None (decision 1)."""
    days = days_of(item)
    return frozen_during(member, min(days), max(days)) if days else None


NO_YEAR_AFTER = Text("No year comes after this item's last day: give it an earlier completion date first.")


def year_after(item: Values, calendar: MembershipCalendar, today: date) -> MembershipYear | None:
    """Return the year that an item goes on in: the one after its own, and not before the current one.

    An item without dates is of the current year. None is the answer for the last year that there are dates for.
    """
    end = calendar.period_for(date.fromisoformat(max(days_of(item), default=today.isoformat()))).end
    return None if end == date.max else calendar.period_for(max(end + ONE_DAY, today))


def carried_values(item: Values, form: forms.Form, year: MembershipYear) -> Values:
    """Return the values of the item that another goes on as in a later year: what the member wrote, without dates.

    Its day in the year is one in the middle, so that it stays in the year when a renewal date moves by some months.
    """
    fields = (field.name for field in form.fields if field.type != "date" and field.name not in OF_ITS_YEAR)
    middle = year.start + (year.end - year.start) // 2
    origin = {"carried_from": item["_id"], "carried_into": middle.isoformat()}
    return {**{name: item[name] for name in fields if name in item}, **origin}


def faults(form: forms.Form, values: Values, changes: Iterable[str]) -> list[FieldError]:
    """Return what is wrong with a change: a completion date before the start date."""
    return out_of_order(form, values, changes, "start_date", "completion_date")
