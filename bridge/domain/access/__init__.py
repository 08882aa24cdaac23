"""Support grants: a member lets support read their record, for a time."""

# What is imported here is what the package gives.
# pyright: reportUnusedImport=false

from __future__ import annotations

from bridge.domain.access.grants import NO_GRANT, StoredGrant
