"""Members: who they are, the identifiers that statements name them by, and their membership year."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import date, datetime
from typing import Any

from pymongo import ReturnDocument
from pymongo.errors import DuplicateKeyError

from bridge.domain.periods import MembershipCalendar, Period
from bridge.store.database import Database, Document, Session, broken_key, reaches_store


def calendar_of(member: Document) -> MembershipCalendar:
    """Return the membership years of a stored member (R82)."""
    periods = tuple(
        Period(date.fromisoformat(period["start"]), date.fromisoformat(period["end"]))
        for period in member.get("periods") or ()
    )
    renewal = member.get("renewal_date")
    return MembershipCalendar(date.fromisoformat(renewal) if renewal else None, periods)


def frozen_on(member: Document, day: date) -> Document | None:
    """Return the freeze (``{case_id, period_id, start, end, since}``) that covers a day of a member, or None (R56)."""
    text = day.isoformat()
    return next((freeze for freeze in member.get("frozen") or () if freeze["start"] <= text <= freeze["end"]), None)


class IdentifierTaken(Exception):
    """An identifier belongs to another member already; ``key`` says which."""

    def __init__(self, key: str) -> None:
        super().__init__("identifier taken")
        self.key = key


@reaches_store
class Members:
    """The ``members`` collection: ``_id`` is the member id, ``keys`` the canonical identifiers, unique over all."""

    def __init__(self, database: Database) -> None:
        self._members = database.collection("members")

    async def prepare(self) -> None:
        """Create the indexes."""
        await self._members.create_index("keys", unique=True, name="keys")

    async def get(self, member_id: str, session: Session | None = None) -> Document | None:
        """Return a member, or None."""
        return await self._members.find_one({"_id": member_id}, session=session)

    async def touch(self, member_id: str, session: Session) -> Document | None:
        """Return a member and keep every other act on the same record out until the transaction ends."""
        return await self._members.find_one_and_update(
            {"_id": member_id}, {"$inc": {"acts": 1}}, return_document=ReturnDocument.AFTER, session=session
        )

    async def by_keys(self, keys: Iterable[str]) -> dict[str, Document]:
        """Return identifier key → member for those keys that are known, in one read."""
        wanted = set(keys)
        if not wanted:
            return {}
        found = self._members.find({"keys": {"$in": list(wanted)}})
        return {key: member async for member in found for key in member["keys"] if key in wanted}

    async def versions(self, member_ids: Iterable[str]) -> dict[str, int]:
        """Return member id → version, to notice that a member changed meanwhile."""
        found = self._members.find({"_id": {"$in": list(member_ids)}}, {"version": 1})
        return {member["_id"]: member["version"] async for member in found}

    async def put(self, member_id: str, fields: Mapping[str, Any], revision: int | None = None) -> Document | None:
        """Create or replace a member's fields; returns the member as it now is.

        With a ``revision``, an older or equal one changes nothing and returns None. Raises ``IdentifierTaken``.
        """
        try:
            return await self._members.find_one_and_update(
                {"_id": member_id, **_newer(revision)},
                _change(fields, revision),
                upsert=True,
                return_document=ReturnDocument.AFTER,
            )
        except DuplicateKeyError as error:
            key = broken_key(error)
            if "keys" not in key:
                return None  # the upsert met the member itself: it is there, with a newer revision
            raise IdentifierTaken(str(key["keys"])) from error

    async def leave(self, member_id: str, at: datetime, revision: int | None = None) -> None:
        """Note that a member left; an older revision changes nothing."""
        await self._members.update_one({"_id": member_id, **_newer(revision)}, _change({"left_at": at}, revision))


def _newer(revision: int | None) -> Document:
    return {} if revision is None else {"$or": [{"revision": None}, {"revision": {"$lt": revision}}]}


def _change(fields: Mapping[str, Any], revision: int | None) -> Document:
    numbered = {} if revision is None else {"revision": revision}
    return {"$set": {**fields, **numbered}, "$inc": {"version": 1}}
