"""Comments on a membership year: they are added and read, never changed (R50-R52)."""

from __future__ import annotations

import uuid
from datetime import date, datetime
from typing import Final, TypedDict

from bridge.domain.list_keys import SortKey, order_key
from bridge.domain.members.members import MembershipYear, StoredMember
from bridge.errors import FieldError, ValidationFailed
from bridge.texts import Text

SORTABLE: Final = ("created_at",)
"""What a list of comments can be sorted by."""


class StoredComment(TypedDict):
    """A document of ``comments``."""

    _id: str
    member_id: str
    day: str  # YYYY-MM-DD; decides the year, so that each comment has one in any calendar (R82)
    text: str
    refers_to: str | None  # the id of an entry or a plan item
    author: str  # a member id
    created_at: datetime
    order: dict[str, SortKey]  # ``created_at``


def filing_day(period: MembershipYear) -> date:
    """Return the day a comment is filed under: when years move, it goes to the one that holds most of its own."""
    return period.start + (period.end - period.start) // 2


def new_comment(member: StoredMember, day: date, text: str, refers_to: str | None, at: datetime) -> StoredComment:
    """Make a comment of a member; ``day`` is the ``filing_day`` of the year that it is about."""
    return {
        "_id": str(uuid.uuid4()),
        "member_id": member["_id"],
        "day": day.isoformat(),
        "text": text,
        "refers_to": refers_to,
        "author": member["_id"],
        "created_at": at,
        "order": {"created_at": order_key(f"{member['acts']:012}")},  # the acts on a record are numbered
    }


def no_such_record() -> ValidationFailed:
    """Make the error of a comment that refers to what is not in the member's record."""
    message = Text("There is no plan item or log entry with this id in your record: leave it out, or check the id.")
    return ValidationFailed(message, field_errors=[FieldError("/refers_to", Text("Refers to"), message)])
