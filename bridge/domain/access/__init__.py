"""Support grants: a member lets support read their record, for a time."""

from bridge.domain.access.grants import NO_GRANT, StoredGrant
