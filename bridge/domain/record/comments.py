"""Comments on a membership year: they are added and read, never changed (R50-R52)."""

from __future__ import annotations

from datetime import datetime
from typing import Final, TypedDict

from bridge.domain.list_keys import SortKey
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


def no_such_record() -> ValidationFailed:
    """Make the error of a comment that refers to what is not in the member's record."""
    message = Text("There is no plan item or log entry with this id in your record: leave it out, or check the id.")
    return ValidationFailed(message, field_errors=[FieldError("/refers_to", Text("Refers to"), message)])
