"""Support grants: a member lets support read their record, for a time."""

from __future__ import annotations

from bridge.domain.access.grants import NO_GRANT, StoredGrant

__all__ = [
    "NO_GRANT",
    "StoredGrant",
]
