"""Members: who they are, the identifiers that statements name them by, and their membership year."""

from __future__ import annotations

import time
from collections.abc import AsyncGenerator, Collection, Iterable, Mapping
from datetime import date, datetime
from typing import Any

from pymongo import ReturnDocument
from pymongo.errors import DuplicateKeyError

from bridge.domain.agents import id_key, tombstone
from bridge.domain.periods import MembershipCalendar, Period
from bridge.domain.subjects import Tenure
from bridge.store import times
from bridge.store.database import Database, Document, Session, broken_key, reaches_store
from bridge.store.erasures import ErasureKey

MOST_RECENT = 20_000
REMEMBERED_FOR = 10.0


def calendar_of(member: Document) -> MembershipCalendar:
    """Return the membership years of a stored member; a frozen one stays as it was (R82, docs/decisions/0019)."""
    renewal = member.get("renewal_date")
    listed, kept = _periods(member.get("periods")), _periods(member.get("frozen"))
    return MembershipCalendar(date.fromisoformat(renewal) if renewal else None, listed, kept)


def _periods(rows: Iterable[Document] | None) -> tuple[Period, ...]:
    return tuple(Period(date.fromisoformat(row["start"]), date.fromisoformat(row["end"])) for row in rows or ())


def frozen_on(member: Document, day: date) -> Document | None:
    """Return the freeze (``{case_id, period_id, start, end, since}``) that covers a day of a member, or None (R56)."""
    text = day.isoformat()
    return next((freeze for freeze in member.get("frozen") or () if freeze["start"] <= text <= freeze["end"]), None)


class IdentifierTaken(Exception):
    """An identifier belongs to another member already; ``key`` says which."""

    def __init__(self, key: str) -> None:
        super().__init__("identifier taken")
        self.key = key


class Recent:
    """Members remembered by identifier key, for as long as no member changes; at most ``MOST_RECENT`` keys.

    A process that dies between changing a member and telling of it leaves what is remembered wrong until its call is
    repeated or ``REMEMBERED_FOR`` seconds have passed.
    """

    def __init__(self) -> None:
        self._epoch: int | None = None
        self._until = 0.0
        self._members: dict[str, Document] = {}

    def since(self, epoch: int) -> None:
        """Forget everything when a member changed since."""
        if epoch != self._epoch or time.monotonic() > self._until:
            self._epoch, self._until, self._members = epoch, time.monotonic() + REMEMBERED_FOR, {}

    def among(self, keys: Iterable[str]) -> dict[str, Document]:
        """Return those of the keys that are remembered."""
        return {key: self._members[key] for key in keys if key in self._members}

    def remember(self, members: Iterable[Document]) -> None:
        """Add members, under each of their keys."""
        if len(self._members) < MOST_RECENT:
            self._members.update((key, member) for member in members for key in member["keys"])


@reaches_store
class Members:
    """The ``members`` collection: ``_id`` is the member id, ``keys`` the canonical identifiers, unique over all."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._key = ErasureKey(database)
        self._members = database.collection("members")
        self._meta = database.collection("meta")
        self._recent = Recent()

    async def prepare(self) -> None:
        """Create the indexes."""
        await self._members.create_index("keys", unique=True, name="keys")
        await self._members.create_index("stones", sparse=True, name="stones")
        await self._members.create_index("former.stone", sparse=True, name="former")

    async def get(self, member_id: str, session: Session | None = None) -> Document | None:
        """Return a member, or None."""
        return await self._members.find_one({"_id": member_id}, session=session)

    async def touch(self, member_id: str, session: Session) -> Document | None:
        """Return a member and keep every other act on the same record out until the transaction ends.

        A write and a read rather than findAndModify, for which the embedded store reads the whole collection; nobody
        comes between the two, since the write holds the document.
        """
        await self._members.update_one({"_id": member_id}, {"$inc": {"acts": 1}}, session=session)
        return await self._members.find_one({"_id": member_id}, session=session)

    async def number(self, member_id: str, kind: str, count: int, session: Session) -> int:
        """Take ``count`` reference numbers of a kind and return the last of them; the first ever is 1."""
        await self._members.update_one({"_id": member_id}, {"$inc": {f"numbers.{kind}": count}}, session=session)
        member = await self._members.find_one({"_id": member_id}, {"numbers": 1}, session=session)
        return int(member["numbers"][kind]) if member else count

    async def epoch(self) -> int:
        """Return a number that changes after every change of any member; what is remembered of older ones goes."""
        found = await self._meta.find_one({"_id": "members"})
        number = 0 if found is None else int(found["epoch"])
        self._recent.since(number)
        return number

    async def new_epoch(self, session: Session | None = None) -> None:
        """Tell everybody that a member changed; to be called after the change, or in the same transaction."""
        await self._meta.update_one({"_id": "members"}, {"$inc": {"epoch": 1}}, upsert=True, session=session)

    async def by_keys(self, keys: Iterable[str]) -> dict[str, Document]:
        """Return identifier key → member for those keys that are known, in at most one read.

        May be as old as the last ``epoch()``: a worker asks for that before and after it writes.
        """
        wanted = set(keys)
        known = self._recent.among(wanted)
        missing = wanted - known.keys()
        if missing:
            members = [member async for member in self._members.find({"keys": {"$in": list(missing)}})]
            self._recent.remember(members)
            known |= {key: member for member in members for key in member["keys"] if key in missing}
        return known

    async def versions(self, member_ids: Iterable[str]) -> dict[str, int]:
        """Return member id → version, to notice that a member changed meanwhile."""
        found = self._members.find({"_id": {"$in": list(member_ids)}}, {"version": 1})
        return {member["_id"]: member["version"] async for member in found}

    async def put(self, member_id: str, fields: Mapping[str, Any], revision: int | None = None) -> Document | None:
        """Create or replace a member's fields; returns the member as it now is.

        With a ``revision``, an older or equal one changes nothing and returns None. Raises ``IdentifierTaken``.
        """
        stones = await self._stones(fields["keys"])
        try:
            member = await self._database.transaction(
                lambda session: self._put(member_id, {**fields, "stones": stones}, revision, session)
            )
        except DuplicateKeyError as error:
            taken = broken_key(error).get("keys", id_key(member_id))
            if taken == id_key(member_id):  # the upsert met the member itself, by whichever key the store names
                return None  # it has a newer revision, or is being erased
            raise IdentifierTaken(str(taken)) from error
        await self.new_epoch()
        return member

    async def _put(self, member_id: str, fields: Mapping[str, Any], revision: int | None, session: Session) -> Document:
        before = await self.touch(member_id, session) or {}
        former = given_up(before, fields["stones"], times.now())
        return await self._members.find_one_and_update(
            {"_id": member_id, "erasing": {"$exists": False}, **_newer(revision)},
            _change({**fields, "former": former} if former else fields, revision),
            upsert=True,
            return_document=ReturnDocument.AFTER,
            session=session,
        )

    async def _stones(self, keys: Iterable[str]) -> list[str]:
        secret = await self._key.get()
        return [tombstone(secret, key) for key in keys]

    async def tenures(self, stones: Collection[str]) -> dict[str, list[Tenure]]:
        """Return tombstone → everybody's time with the identifier, for those that anybody has or had."""
        found: dict[str, list[Tenure]] = {}
        wanted, fields = {"$in": list(stones)}, {"stones": 1, "former": 1}
        async for member in self._members.find({"stones": wanted}, fields):
            for stone in member["stones"]:
                found.setdefault(stone, []).append(Tenure(member["_id"]))
        async for member in self._members.find({"former.stone": wanted}, fields):
            for one in member["former"]:
                found.setdefault(one["stone"], []).append(Tenure(member["_id"], one["until"]))
        return {stone: tenures for stone, tenures in found.items() if stone in stones}

    async def every(self) -> AsyncGenerator[Document]:
        """Yield every member's id and keys."""
        async for member in self._members.find({}, {"keys": 1, "erasing": 1, "former": 1}):
            yield member

    async def withhold(self, member_id: str, session: Session) -> None:
        """Take a member's identifiers out of use, so that an erasure may begin; they are kept beside until its end."""
        member = await self.get(member_id, session)
        if member is None or "erasing" in member:
            return
        own = id_key(member_id)
        former = given_up(member, [], times.now())
        kept = {"erasing": [key for key in member["keys"] if key != own], "stones": [], "former": former}
        change = {"$set": {"keys": [own], **kept}}
        await self._members.update_one({"_id": member_id}, {**change, "$inc": {"version": 1}}, session=session)
        await self.new_epoch(session)

    async def remove(self, member_id: str, session: Session | None = None) -> None:
        """Remove a member; the last thing an erasure does."""
        await self._members.delete_one({"_id": member_id}, session=session)
        await self.new_epoch(session)

    async def leave(self, member_id: str, at: datetime, revision: int | None = None) -> None:
        """Note that a member left; an older revision changes nothing."""
        await self._members.update_one({"_id": member_id, **_newer(revision)}, _change({"left_at": at}, revision))
        await self.new_epoch()


def given_up(member: Document, stones: Collection[str], at: datetime) -> list[Document]:
    """Return a member's former identifiers once they have these; each with the time that they had it until."""
    gone = [stone for stone in member.get("stones", ()) if stone not in stones]
    return [*member.get("former", ()), *({"stone": stone, "until": at} for stone in gone)]


def _newer(revision: int | None) -> Document:
    return {} if revision is None else {"$or": [{"revision": None}, {"revision": {"$lt": revision}}]}


def _change(fields: Mapping[str, Any], revision: int | None) -> Document:
    numbered = {} if revision is None else {"revision": revision}
    return {"$set": {**fields, **numbered}, "$inc": {"version": 1}}
