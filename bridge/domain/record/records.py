"""Records, which are plan items and log entries: what is stored of both, and which of them a list has."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import NotRequired, TypedDict

from bridge.domain.list_keys import SortKey
from bridge.domain.members.members import FreezeMark, MembershipYear

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
    """The records that a list or a count has: all that is given has to hold."""

    equal: Sequence[tuple[str, object]] = ()  # fields and values; a field that is a list equals each value in it
    unequal: Sequence[tuple[str, object]] = ()
    period_ids: Sequence[str | None] | None = None  # those of log entries, None among them for the undated
    days: tuple[str, str] | None = None  # the first and the last date of log entries, YYYY-MM-DD
    touching: MembershipYear | None = None  # a year that the days of plan items touch (R1)
