"""Support grants: a member's permission to have their record looked at, for a time (R63)."""

from __future__ import annotations

from datetime import datetime
from typing import TypedDict

from bridge.domain.list_keys import SortKey
from bridge.texts import Text


class StoredGrant(TypedDict):
    """A document of ``support_grants``."""

    _id: str
    member_id: str  # whose record may be read
    reason: str  # the member's words
    created_at: datetime
    expires_at: datetime
    revoked_at: datetime | None  # when the member ended it before its time
    version: int  # the ETag's
    order: dict[str, SortKey]  # ``created_at``


NO_GRANT = Text("You have given no such permission.")
"""What a member is told who ends what is not there."""
