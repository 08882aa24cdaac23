"""The ledger of erasures: tombstones, so that no replay or restored backup brings a person back (invariant 8).

A tombstone is an HMAC of an identifier (docs/decisions/0012). Until an erasure is done its row has the member's id too.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Iterable

from bridge.domain.members.identifiers import id_key, tombstone
from bridge.domain.privacy.erasures import StoredErasure
from bridge.store.database import Database, Session, reaches_store


@reaches_store
class Erasures:
    """The ``erasures`` collection; ``_id`` is the tombstone of the member id, ``keys`` those of every identifier."""

    def __init__(self, database: Database) -> None:
        self._erasures = database.collection("erasures", StoredErasure)
        self._key = database.erasure_key

    async def among(self, keys: Iterable[str], session: Session | None = None) -> set[str]:
        """Return those of the identifier keys that belong to an erased person."""
        secret = await self._key.get()
        stones = {tombstone(secret, key): key for key in keys}
        rows = self._erasures.find({"keys": {"$in": list(stones)}}, {"keys": 1}, session=session)
        return {stones[stone] async for erasure in rows for stone in erasure.get("keys", ()) if stone in stones}

    async def stones(self, member_id: str, keys: Iterable[str]) -> list[str]:
        """Return every tombstone of a member, by whom all of their traces are known again."""
        secret = await self._key.get()
        return [tombstone(secret, key) for key in dict.fromkeys([id_key(member_id), *keys])]

    async def get(self, erasure_id: str, session: Session | None = None) -> StoredErasure | None:
        """Return a row, or None."""
        return await self._erasures.find_one({"_id": erasure_id}, session=session)

    async def put(self, row: StoredErasure, session: Session | None = None) -> None:
        """Write a row, new or in place of the one with its id."""
        await self._erasures.replace_one({"_id": row["_id"]}, row, upsert=True, session=session)

    async def drop(self, erasure_id: str, session: Session) -> None:
        """Remove the row of an erasure that is not to be after all; nothing where there is none."""
        await self._erasures.delete_one({"_id": erasure_id}, session=session)

    async def unfinished(self) -> list[StoredErasure]:
        """Return the rows of erasures that are held or were broken off."""
        return [row async for row in self._erasures.find({"member_id": {"$gt": ""}})]

    async def done(self) -> AsyncGenerator[StoredErasure]:
        """Yield the rows of erasures that are done: what a restored backup has to be told."""
        async for row in self._erasures.find({"state": "erased"}).sort("_id", 1):
            yield row
