"""Completions that wait: parked for an unknown actor (decision 10), or held for a frozen period (decision 4)."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from datetime import datetime
from typing import Any

from bridge.store.database import Database, Document, insert_new, reaches_store, rows_by_id
from bridge.store.listing import Listing


def parked_row(statement_id: str, actor_key: str, at: datetime) -> Document:
    """Make the document of a statement that waits for its actor to become known."""
    return {"_id": statement_id, "actor_key": actor_key, "at": at}


def held_row(statement_id: str, member_id: str, period_id: str, at: datetime) -> Document:
    """Make the document of a completion that waits for a freeze to end."""
    return {"_id": statement_id, "member_id": member_id, "period_id": period_id, "at": at}


def held_voiding(voiding_id: str, target: str, member_id: str, period_id: str, at: datetime) -> Document:
    """Make the document of a voiding that waits for a freeze to end; it needs no text of its own then."""
    return {**held_row(voiding_id, member_id, period_id, at), "target": target}


@reaches_store
class Waiting:
    """The ``parked`` and ``held`` collections; the statement itself stays in the ledger."""

    def __init__(self, database: Database) -> None:
        self._parked = database.collection("parked")
        self._held = database.collection("held")

    async def prepare(self) -> None:
        """Create the indexes."""
        await self._parked.create_index("actor_key", name="actor")
        await self._parked.create_index([("at", 1), ("_id", 1)], name="age")
        await self._held.create_index([("member_id", 1), ("period_id", 1)], name="period")

    async def park(self, rows: list[Document]) -> None:
        """Add parked statements; those there already stay as they are."""
        await insert_new(self._parked, rows)

    async def hold(self, rows: list[Document]) -> None:
        """Add held statements; those there already stay as they are."""
        await insert_new(self._held, rows)

    async def among(self, statement_ids: Collection[str]) -> set[str]:
        """Return those of the statements that wait."""
        return {key for rows in (self._parked, self._held) for key in await rows_by_id(rows, statement_ids)}

    async def parked_for(self, actor_keys: Iterable[str], limit: int) -> list[str]:
        """Return ids of statements parked for any of these actors, oldest first."""
        found = self._parked.find({"actor_key": {"$in": list(actor_keys)}}, {"_id": 1}).sort("at", 1).limit(limit)
        return [row["_id"] async for row in found]

    async def hold_voiding(self, row: Document) -> None:
        """Add a voiding that waits, or let one that is there wait for another period."""
        await self._held.replace_one({"_id": row["_id"]}, row, upsert=True)

    async def held_for(self, member_id: str, frozen: Iterable[str], limit: int) -> list[Document]:
        """Return a member's held statements whose period is not among the ``frozen`` ones, oldest first."""
        query = {"member_id": member_id, "period_id": {"$nin": list(frozen)}}
        return [row async for row in self._held.find(query).sort("at", 1).limit(limit)]

    async def count_held(self, member_id: str) -> dict[str, int]:
        """Return period id → number of a member's completions that wait for its freeze to end."""
        completions = {"$sum": {"$cond": [{"$ifNull": ["$target", False]}, 0, 1]}}  # a null query may defeat the index
        pipeline = [{"$match": {"member_id": member_id}}, {"$group": {"_id": "$period_id", "n": completions}}]
        return {group["_id"]: group["n"] async for group in self._held.aggregate(pipeline) if group["n"]}

    async def parked(self, limit: int, after: list[Any] | None) -> Listing:
        """Return a page of the parked for operations, those that have waited longest first.

        ``after`` is ``[at, id]``; ``next`` has ``at`` in ISO 8601. No row says whose name its statement carries.
        """
        query = {} if after is None else _beyond(after[0], after[1])
        rows = [row async for row in self._parked.find(query).sort([("at", 1), ("_id", 1)]).limit(limit + 1)]
        items = rows[:limit]
        more = [items[-1]["at"].isoformat(), items[-1]["_id"]] if len(rows) > limit else None
        return Listing(items, more, await self.count_parked())

    async def parked_since(self) -> datetime | None:
        """Return since when the oldest is parked, or None when none is."""
        row = await self._parked.find_one({}, sort=[("at", 1)])
        return row["at"] if row else None

    async def count_parked(self) -> int:
        """Return how many statements wait for an actor to become known."""
        return await self._parked.count_documents({})

    async def forget(self, actor_keys: Iterable[str]) -> None:
        """Remove what waits for any of these actors."""
        await self._parked.delete_many({"actor_key": {"$in": list(actor_keys)}})

    async def release(self, statement_ids: Collection[str]) -> None:
        """Forget that these statements waited."""
        await self.unpark(statement_ids)
        await self.let_go(statement_ids)

    async def unpark(self, statement_ids: Collection[str]) -> None:
        """Forget that these statements were parked."""
        if statement_ids:
            await self._parked.delete_many({"_id": {"$in": list(statement_ids)}})

    async def let_go(self, statement_ids: Collection[str]) -> None:
        """Forget that these statements were held."""
        if statement_ids:
            await self._held.delete_many({"_id": {"$in": list(statement_ids)}})


def _beyond(at: datetime, statement_id: str) -> Document:
    return {"$or": [{"at": {"$gt": at}}, {"at": at, "_id": {"$gt": statement_id}}]}
