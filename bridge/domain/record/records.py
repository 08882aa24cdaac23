"""Records, which are plan items and log entries: fields of a form, and what is derived from them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, NotRequired, TypedDict, cast

from bridge.domain.list_keys import SortKey, order_key, tokens
from bridge.domain.members.members import FreezeMark
from bridge.domain.record.forms import DEFAULTS, Form, FormField
from bridge.domain.record.periods import MembershipYear
from bridge.errors import FieldError
from bridge.texts import Text

Values = Mapping[str, Any]
"""Fields of a form by name: which there are, its definition says."""

LAST = "\U0010ffff"
"""Sorts after every id; put after a text, after everything that begins with it."""

RESTORABLE_DAYS = 30
"""How long a deleted record can be brought back (decision 5)."""


class StoredRecord(TypedDict):
    """The fields of both log entries and plan items, beside those of their form, which are open (``Values``)."""

    _id: str
    member_id: str
    form_version: str
    complete: bool  # finished, and no needed field is empty (R38)
    missing_fields: list[str]  # the needed fields that are empty
    version: int  # the ETag's
    created_at: datetime
    updated_at: datetime
    order: dict[str, SortKey]  # by the names that lists are sorted by
    tokens: list[str]  # what a keyword search finds it by
    listed: NotRequired[bool]  # True; not there once it is deleted
    frozen: NotRequired[FreezeMark]
    deleted_at: NotRequired[datetime]
    title: NotRequired[str]
    reference: NotRequired[str]  # the number that the member or the service gave it (R48)


@dataclass(frozen=True, slots=True)
class RecordCriteria:
    """The records that a list or a count has: all that is given has to hold.

    ``equal`` and ``unequal`` are fields and values; a field that is a list equals each value in it. ``period_ids`` are
    those of log entries, None among them for the undated; ``days`` the first and the last of their dates (YYYY-MM-DD).
    ``touching`` is a year that the days of plan items touch (R1).
    """

    equal: Sequence[tuple[str, object]] = ()
    unequal: Sequence[tuple[str, object]] = ()
    period_ids: Sequence[str | None] | None = None
    days: tuple[str, str] | None = None
    touching: MembershipYear | None = None


class Findable(TypedDict):
    """The keys that a record is sorted and found by."""

    order: dict[str, SortKey]
    tokens: list[str]


def findable(form: Form, values: Values, sorts: Sequence[str]) -> Findable:
    """Compute what a record is sorted and found by: ``order`` for each of ``sorts``, and its search ``tokens``."""
    return {
        "order": {name: order_key(values.get(name)) for name in sorts},
        "tokens": tokens(_texts(form, values)),
    }


def _texts(form: Form, values: Values) -> Iterator[str]:
    """What a keyword search looks through: words as people read them, so each label of a choice and no date (R20).

    A choice that the service made by default is left out: it would find nearly every record.
    """
    for field in form.worded:
        value = values.get(field.name)
        if value is None:
            continue
        parts = cast("list[object]", value) if isinstance(value, list) else [value]
        if field.choices:
            default = DEFAULTS[form.name].get(field.name)
            yield from (label for part in parts if part != default for label in field.labels_of(part))
        else:
            yield from (part for part in parts if isinstance(part, str))


def values_of(form: Form, record: Values) -> dict[str, Any]:
    """Return the fields of the form that a record has."""
    return {field.name: record[field.name] for field in form.fields if field.name in record}


def patched(record: Values, changes: Values) -> dict[str, Any]:
    """Return the record after a merge patch (RFC 7396): None takes a field away, a list replaces a list."""
    removed_names = {name for name, value in changes.items() if value is None}
    return {name: value for name, value in {**record, **changes}.items() if name not in removed_names}


def misfits(form: Form, changes: Values) -> list[FieldError]:
    """Return what the record's own version of the form does not take: newer fields, and newer choices."""
    fields = {field.name: field for field in form.fields}
    return [fault for name, value in changes.items() if (fault := _misfit(fields.get(name), name, value))]


def _misfit(field: FormField | None, name: str, value: object) -> FieldError | None:
    if field is None:
        return fault(
            name, name, Text("This record was made with an earlier form, which has no such field: leave it out.")
        )
    offered_values = [choice.value for choice in field.choices]
    values = cast("list[object]", value) if isinstance(value, list) else [value]
    if value is None or not offered_values or all(choice in offered_values for choice in values):
        return None
    return fault(name, field.label, choose_one(field))


def choose_one(field: FormField) -> Text:
    """Say which choices a field has, by their labels."""
    return Text("Choose one of: {choices}.", choices=tuple(choice.label for choice in field.choices))


def out_of_order(form: Form, values: Values, changes: Iterable[str], earlier: str, later: str) -> list[FieldError]:
    """Return the fault of two dates that are the wrong way round, when a change has touched either."""
    first, last = values.get(earlier), values.get(later)
    if not {earlier, later} & set(changes) or not first or not last or first <= last:
        return []
    name = later if later in set(changes) else earlier
    start, end = label(form, earlier), label(form, later)
    message = Text(
        "“{end}” cannot be before “{start}” ({day}): change one of the two.",
        end=end,
        start=start,
        day=date.fromisoformat(first),
    )
    return [fault(name, label(form, name), message)]


def in_future(form: Form, values: Values, name: str, today: date) -> list[FieldError]:
    """Return the fault of a day that is still to come."""
    day = values.get(name)
    if not day or day <= today.isoformat():
        return []
    title = label(form, name)
    message = Text(
        "“{field}” cannot be in the future: give {day} or an earlier day, or leave it out.", field=title, day=today
    )
    return [fault(name, title, message)]


def label(form: Form, name: str) -> str:
    """Return what a person calls a field."""
    field = form.field(name)
    return field.label if field else name


def fault(name: str, title: str, message: str) -> FieldError:
    """Make the fault of one field of the body."""
    return FieldError(f"/{name}", title, message)
