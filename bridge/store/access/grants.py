"""Support grants: a member's permission to have their record looked at, for a time (R63)."""

from __future__ import annotations

from datetime import datetime

from pymongo import ReturnDocument

from bridge.domain.access import StoredGrant
from bridge.store.database import Database, Session, reaches_store
from bridge.store.listing import Listing, ListQuery, Position, Sort, page_of

_ORDER: Sort = [("created_at", True)]


@reaches_store
class Grants:
    """The ``support_grants`` collection."""

    def __init__(self, database: Database) -> None:
        self._grants = database.collection("support_grants", StoredGrant)

    async def add(self, grant: StoredGrant, session: Session) -> None:
        """Add a grant."""
        await self._grants.insert_one(grant, session=session)

    async def list(self, member_id: str, limit: int, after: Position | None) -> Listing[StoredGrant]:
        """Return a page of a member's grants, newest first."""
        return await page_of(self._grants, ListQuery({"member_id": member_id}, {}, _ORDER, limit, after))

    async def live(self, member_id: str, at: datetime) -> StoredGrant | None:
        """Return the member's grant that holds at a time and lasts longest, or None."""
        query = {"member_id": member_id, "revoked_at": None, "expires_at": {"$gt": at}}
        return await self._grants.find_one(query, sort=[("expires_at", -1)])

    async def revoke(self, member_id: str, grant_id: str, at: datetime) -> StoredGrant | None:
        """End a grant and return it, or None when the member has none of this id; one that ended stays as it is."""
        by_id = {"_id": grant_id, "member_id": member_id}
        return await self._grants.find_one_and_update(
            {**by_id, "revoked_at": None},
            {"$set": {"revoked_at": at}, "$inc": {"version": 1}},
            return_document=ReturnDocument.AFTER,
        ) or await self._grants.find_one(by_id)
