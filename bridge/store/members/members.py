"""Members: who they are, the identifiers that statements name them by, and their membership year."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Collection, Iterable, Mapping, Sequence
from typing import Literal

from pymongo import UpdateOne

from bridge.domain.members.identifiers import IdentifierOwner, IdentifierTaken, owned_identifier
from bridge.domain.members.members import Departure, StoredMember
from bridge.domain.privacy.subjects import Tenure
from bridge.domain.statements.batch import Touch
from bridge.store.database import Change, Database, Session, bulk, reaches_store, save


@reaches_store
class Identifiers:
    """The ``identifiers`` collection: ``_id`` is the identifier's key, ``member_id`` whose it is, if anybody's."""

    def __init__(self, database: Database) -> None:
        self._identifiers = database.collection("identifiers", IdentifierOwner)

    async def owners(self, keys: Iterable[str], session: Session | None = None) -> dict[str, str]:
        """Return identifier key → member id of those that somebody has."""
        rows = self._identifiers.find({"_id": {"$in": sorted(set(keys))}}, session=session)
        return {row["_id"]: row["member_id"] async for row in rows if "member_id" in row}

    async def owners_by_tombstone(self, stones: Collection[str]) -> dict[str, str]:
        """Return tombstone → member id of those that somebody has."""
        rows = self._identifiers.find({"stone": {"$in": list(stones)}})
        return {row["stone"]: row["member_id"] async for row in rows if "stone" in row and "member_id" in row}

    async def seek(self, keys: Iterable[str], session: Session) -> None:
        """Write identifiers that nobody has, so that whoever brings one meets this transaction."""
        await self._write([UpdateOne({"_id": key}, {"$inc": {"sought": 1}}, upsert=True) for key in keys], session)

    async def assign(
        self, owners: Mapping[str, str], given_back: Collection[str], secret: bytes, session: Session
    ) -> None:
        """Give identifiers to members (key → member id); raises ``IdentifierTaken`` for one that another has.

        Those ``given_back`` in the same transaction are whoever's takes them. ``secret`` keys the tombstones.
        """
        rows = {
            row["_id"]: row async for row in self._identifiers.find({"_id": {"$in": list(owners)}}, session=session)
        }
        for key, row in rows.items():
            if row.get("member_id", owners[key]) != owners[key] and key not in given_back:
                raise IdentifierTaken(key)
        identifiers = [owned_identifier(key, member_id, secret) for key, member_id in owners.items()]
        await self._write([_ownership(row) for row in identifiers if row["_id"] in rows], session)
        if new := [row for row in identifiers if row["_id"] not in rows]:
            await self._identifiers.insert_many(new, session=session)

    async def forget(self, keys: Iterable[str], member_ids: Sequence[str] = (), session: Session | None = None) -> None:
        """Remove identifiers that one of these members has, or nobody; another's stay."""
        query = {"_id": {"$in": sorted(set(keys))}, "member_id": {"$in": [*member_ids, None]}}
        await self._identifiers.delete_many(query, session=session)

    async def _write(self, updates: list[UpdateOne], session: Session) -> None:
        if updates:
            await bulk(self._identifiers, updates, session)


def _ownership(row: IdentifierOwner) -> UpdateOne:
    fields = {name: value for name, value in row.items() if name != "_id"}
    return UpdateOne({"_id": row["_id"]}, {"$set": fields, "$unset": {"sought": ""}})


@reaches_store
class Departures:
    """The ``departures`` collection: member id → revision of the newest ``member.left``."""

    def __init__(self, database: Database) -> None:
        self._departures = database.collection("departures", Departure)

    async def note(self, member_id: str, revision: int, session: Session | None = None) -> None:
        """Note that a member left, unless a newer revision says so already."""
        await self._departures.update_one(
            {"_id": member_id}, {"$max": {"revision": revision}}, upsert=True, session=session
        )

    async def revision(self, member_id: str, session: Session | None = None) -> int:
        """Return the revision by which a member left, or -1."""
        row = await self._departures.find_one({"_id": member_id}, session=session)
        return int(row["revision"]) if row else -1

    async def forget(self, member_id: str) -> None:
        """Remove what is known of a departure; for an erasure."""
        await self._departures.delete_one({"_id": member_id})


@reaches_store
class Members:
    """The ``members`` collection: ``_id`` is the member id, ``acts`` counts the transactions on the member's record."""

    def __init__(self, database: Database) -> None:
        self._members = database.collection("members", StoredMember)

    async def get(self, member_id: str, session: Session | None = None) -> StoredMember | None:
        """Return a member, or None."""
        return await self._members.find_one({"_id": member_id}, session=session)

    async def some(self, member_ids: Iterable[str], session: Session | None = None) -> dict[str, StoredMember]:
        """Return member id → member of those that are there."""
        members = self._members.find({"_id": {"$in": sorted(set(member_ids))}}, session=session)
        return {member["_id"]: member async for member in members}

    async def touch(self, member_id: str, session: Session) -> StoredMember | None:
        """Return a member, and keep every other change of the same record out until the transaction ends.

        A write and a read rather than findAndModify, for which the embedded store reads the whole collection; nobody
        comes between the two, since the write holds the document.
        """
        await self._members.update_one({"_id": member_id}, {"$inc": {"acts": 1}}, session=session)
        return await self._members.find_one({"_id": member_id}, session=session)

    async def touch_some(self, member_ids: Collection[str], session: Session) -> dict[str, StoredMember]:
        """Return member id → member of those that are there, and keep every other change of their records out."""
        await self._members.update_many({"_id": {"$in": list(member_ids)}}, {"$inc": {"acts": 1}}, session=session)
        return await self.some(member_ids, session)

    async def touch_all(self, touched: Mapping[str, Touch], session: Session) -> None:
        """Touch members that the transaction has read, and take the numbers of their new drafts."""
        members_by_drafts: dict[int, list[str]] = {}
        for member_id, touch in touched.items():
            members_by_drafts.setdefault(touch.drafts, []).append(member_id)
        for drafts, member_ids in members_by_drafts.items():
            numbers = {"numbers.log": drafts} if drafts else {}
            change: Change = {"$inc": {"acts": 1, **numbers}}
            await self._members.update_many({"_id": {"$in": sorted(member_ids)}}, change, session=session)

    async def number(self, member_id: str, kind: Literal["log", "plan"], count: int, session: Session) -> int:
        """Take ``count`` reference numbers of a kind and return the last of them; the first ever is 1."""
        await self._members.update_one({"_id": member_id}, {"$inc": {f"numbers.{kind}": count}}, session=session)
        member = await self._members.find_one({"_id": member_id}, {"numbers": 1}, session=session)
        return member["numbers"].get(kind, count) if member and "numbers" in member else count

    async def put(self, members: Iterable[StoredMember], session: Session) -> None:
        """Write members' own fields; what the record counts on each (``acts``, ``numbers``) stays."""
        updates = [UpdateOne({"_id": member["_id"]}, _own_fields(member), upsert=True) for member in members]
        if updates:
            await bulk(self._members, updates, session)

    async def save(self, pairs: Sequence[tuple[StoredMember, StoredMember]], session: Session) -> None:
        """Write members that the transaction has read; each pair is a member before and after, ``acts`` one higher."""
        await save(self._members, pairs, session)

    async def change(self, before: StoredMember, after: StoredMember, session: Session) -> None:
        """Write what differs of a member whom the transaction has touched; the version goes up."""
        await save(self._members, [(before, {**after, "version": before["version"] + 1})], session)

    async def former_tenures(self, stones: Collection[str]) -> list[tuple[str, Tenure]]:
        """Return everybody's time with identifiers that they gave up, each with its tombstone."""
        members = self._members.find({"former.stone": {"$in": list(stones)}}, {"former": 1})
        return [
            (former["stone"], Tenure(member["_id"], former["until"]))
            async for member in members
            for former in member["former"]
            if former["stone"] in stones
        ]

    async def every(self) -> AsyncGenerator[StoredMember]:
        """Yield every member's id and keys."""
        async for member in self._members.find({}, {"keys": 1, "erasing": 1, "former": 1}):
            yield member

    async def remove(self, member_id: str) -> None:
        """Remove a member; the last thing an erasure does."""
        await self._members.delete_one({"_id": member_id})

    async def in_order(self, beyond: str, limit: int, session: Session | None = None) -> list[StoredMember]:
        """Return members who have not left, in the order of their ids, from the one after ``beyond``."""
        query = {"_id": {"$gt": beyond}, "left_at": None}
        return [member async for member in self._members.find(query, session=session).sort("_id", 1).limit(limit)]


def _own_fields(member: StoredMember) -> Change:
    fields = {name: value for name, value in member.items() if name not in {"_id", "acts", "numbers"}}
    return {"$set": fields, "$setOnInsert": {"acts": 0}}
