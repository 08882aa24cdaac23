"""Identifiers of members: whose each is, so that an identifier belongs to one member at most.

An identifier that nobody has is a document too, once a statement waits for it: whoever parks a statement and whoever
brings its actor write the same document, so that neither can miss the other (docs/decisions/0020).
"""

from __future__ import annotations

from collections.abc import Iterable

from pymongo import UpdateOne

from bridge.domain.members.identifiers import IdentifierOwner
from bridge.store.database import Database, Session, bulk, reaches_store


class IdentifierTaken(Exception):
    """An identifier belongs to another member already; ``key`` says which."""

    def __init__(self, key: str) -> None:
        super().__init__("identifier taken")
        self.key = key


@reaches_store
class Identifiers:
    """The ``identifiers`` collection: ``_id`` is the identifier's key, ``member_id`` whose it is, if anybody's."""

    def __init__(self, database: Database) -> None:
        self._identifiers = database.collection("identifiers", IdentifierOwner)

    async def owners(self, keys: Iterable[str], session: Session | None = None) -> dict[str, str]:
        """Return identifier key → member id of those that somebody has."""
        rows = self._identifiers.find({"_id": {"$in": sorted(set(keys))}}, session=session)
        return {row["_id"]: row["member_id"] async for row in rows if "member_id" in row}

    async def seek(self, keys: Iterable[str], session: Session) -> None:
        """Write identifiers that nobody has, so that whoever brings one meets this transaction."""
        await self._write([UpdateOne({"_id": key}, {"$inc": {"sought": 1}}, upsert=True) for key in keys], session)

    async def assign(self, member_id: str, keys: Iterable[str], session: Session) -> None:
        """Give identifiers to a member; raises ``IdentifierTaken`` for one that another has."""
        identifiers = list(keys)
        owners = await self.owners(identifiers, session)
        conflicts = [key for key in identifiers if owners.get(key, member_id) != member_id]
        if conflicts:
            raise IdentifierTaken(conflicts[0])
        ownership = {"$set": {"member_id": member_id}, "$unset": {"sought": ""}}
        await self._write([UpdateOne({"_id": key}, ownership, upsert=True) for key in identifiers], session)

    async def forget(self, keys: Iterable[str], member_id: str | None = None, session: Session | None = None) -> None:
        """Remove identifiers that a member has, or nobody; another's stay."""
        query = {"_id": {"$in": sorted(set(keys))}, "member_id": {"$in": [member_id, None]}}
        await self._identifiers.delete_many(query, session=session)

    async def _write(self, updates: list[UpdateOne], session: Session) -> None:
        if updates:
            await bulk(self._identifiers, updates, session)
