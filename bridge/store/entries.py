"""Log entries: the drafts that completions make, and what members make of them."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date, datetime

from pymongo import InsertOne, UpdateOne
from pymongo.errors import BulkWriteError

from bridge.domain.entries import entry_id as own_entry
from bridge.store.database import (
    DUPLICATE_KEY,
    WRITE_CONFLICT,
    Database,
    Document,
    Session,
    bulk,
    failed_by,
    insert_new,
    reaches_store,
)
from bridge.store.members import calendar_of


@dataclass(frozen=True, slots=True)
class Claim:
    """A completion looking for its entry: the keys it may share with another (decision 7), and its own id."""

    member_id: str
    entry_id: str
    merge_keys: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Refused:
    """What of a write did not take: positions of drafts another entry stood in for, and whether some join found none.

    Another process was quicker, or a freeze came between; the caller plans again from what is there.
    """

    drafts: set[int] = field(default_factory=set[int])
    joins: bool = False


LIVE: Document = {"deleted_at": None}
"""A deleted entry stays as a tombstone, so that a redelivered statement does not bring it back (decision 5)."""


@reaches_store
class Entries:
    """The ``log_entries`` collection; every member's query starts with ``member_id``."""

    def __init__(self, database: Database) -> None:
        self._entries = database.collection("log_entries")

    async def prepare(self) -> None:
        """Create the index that makes merging race-free; those of the member's lists are in ``records``."""
        await self._entries.create_index(
            [("member_id", 1), ("merge_keys", 1)],
            unique=True,
            partialFilterExpression={"merge_keys": {"$exists": True}},
            name="merge",
        )

    async def holding(self, wanted: Sequence[Claim]) -> dict[tuple[str, str], Document]:
        """Return (member id, merge key or entry id) → entry that stands there.

        A read for each member, and one for the ids: the embedded store reads every entry there is for an ``$or``.
        """
        if not wanted:
            return {}
        keys: dict[str, set[str]] = {}
        for claim in wanted:
            keys.setdefault(claim.member_id, set()).update(claim.merge_keys)
        own = {"_id": {"$in": [claim.entry_id for claim in wanted]}, "member_id": {"$in": list(keys)}}
        merging = [{"member_id": member_id, "merge_keys": {"$in": list(of)}} for member_id, of in keys.items() if of]
        found = await asyncio.gather(*[self._holders(query) for query in (own, *merging)])
        return {
            (entry["member_id"], key): entry
            for entries in found
            for entry in entries
            for key in (*entry.get("merge_keys", ()), entry["_id"])
        }

    async def _holders(self, query: Document) -> list[Document]:
        fields = {"member_id": 1, "merge_keys": 1, "frozen": 1, "withdrawn_at": 1, "provenance.statement_ids": 1}
        return [entry async for entry in self._entries.find(query, fields)]

    async def write(self, drafts: list[Document], joins: list[UpdateOne]) -> Refused:
        """Insert drafts and add statements to entries in one bulk write; says what of it did not take."""
        operations = [*(InsertOne(draft) for draft in drafts), *joins]
        if not operations:
            return Refused()
        try:
            result = await bulk(self._entries, operations)
        except BulkWriteError as error:
            if not failed_by(error, DUPLICATE_KEY, WRITE_CONFLICT):
                raise
            faults: list[Document] = (error.details or {})["writeErrors"]
            failed = {int(fault["index"]) for fault in faults}
            matched = int((error.details or {})["nMatched"])
            return Refused({n for n in failed if n < len(drafts)}, joins=matched < len(joins))
        return Refused(joins=result.matched_count < len(joins))

    async def withdraw(self, member_id: str, entry_id: str, statement_id: str, at: datetime) -> Document | None:
        """Take a voided statement back (decision 8); returns the entry as it now is, or None when it is frozen.

        An untouched draft that no other statement stands behind is deleted; any other is flagged ``voided``. The
        statement's own draft, if it is not there yet, is made as a tombstone, which refuses it on its way; one that
        the statement is to join is another's.
        """
        if entry_id == own_entry(member_id, statement_id):
            await insert_new(self._entries, [_tombstone(member_id, entry_id, statement_id, at)])
        gone = {"deleted_at": at, "withdrawn_at": at, "updated_at": at, "arrived": True}
        mine = {"_id": entry_id, "member_id": member_id, "frozen": None}
        changed = await self._entries.update_one(
            {**mine, "touched_at": None, "provenance.statement_ids": [statement_id]},
            {"$set": gone, "$unset": {"merge_keys": "", "listed": ""}, "$inc": {"version": 1}},
        )
        if not changed.matched_count:
            flag = {"$set": {"provenance.voided": True}, "$addToSet": {"provenance.voided_ids": statement_id}}
            unflagged = {**mine, "provenance.voided_ids": {"$ne": statement_id}}
            await self._entries.update_one(unflagged, {**flag, "$inc": {"version": 1}})
        return await self._entries.find_one(mine)

    async def freeze_of(self, member_id: str, entry_id: str) -> Document | None:
        """Return the freeze that holds an entry, or None."""
        entry = await self._entries.find_one({"_id": entry_id, "member_id": member_id}, {"frozen": 1})
        return entry and entry.get("frozen")

    async def rebucket(self, member: Document) -> int:
        """Set the period of a member's unfrozen entries by the member's calendar (R82); returns how many moved."""
        calendar = calendar_of(member)
        moves: list[UpdateOne] = []
        query = {"member_id": member["_id"], "frozen": None, "date": {"$gt": ""}}
        async for entry in self._entries.find(query, {"date": 1, "period_id": 1}):
            period_id = calendar.period_for(date.fromisoformat(entry["date"])).id
            if period_id != entry["period_id"]:
                same = {"_id": entry["_id"], "member_id": member["_id"], "frozen": None, "date": entry["date"]}
                moves.append(
                    UpdateOne(same, {"$set": {"period_id": period_id, "arrived": True}, "$inc": {"version": 1}})
                )
        if moves:
            await bulk(self._entries, moves)
        return len(moves)

    async def get(self, member_id: str, entry_id: str, session: Session | None = None) -> Document | None:
        """Return one live entry of a member, or None."""
        return await self._entries.find_one({"_id": entry_id, "member_id": member_id, **LIVE}, session=session)


def _tombstone(member_id: str, entry_id: str, statement_id: str, at: datetime) -> Document:
    return {
        "_id": entry_id,
        "member_id": member_id,
        "source": "learning_centre",
        "draft": True,
        "version": 1,
        "created_at": at,
        "updated_at": at,
        "deleted_at": at,
        "withdrawn_at": at,
        "provenance": {"statement_ids": [statement_id]},
    }


def joining(entry: Document, statement_id: str, merge_keys: Sequence[str]) -> UpdateOne:
    """Make the change that adds a statement to an entry (decision 7); one that is frozen or withdrawn takes none."""
    return UpdateOne(
        {"_id": entry["_id"], "member_id": entry["member_id"], "frozen": None, "withdrawn_at": None},
        {
            "$addToSet": {"provenance.statement_ids": statement_id, "merge_keys": {"$each": list(merge_keys)}},
            "$inc": {"version": 1},
        },
    )
