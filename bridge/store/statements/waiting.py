"""Completions that wait: parked for an unknown actor (decision 10), or held for a frozen period (decision 4)."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from bridge.domain.changes import Changes
from bridge.domain.statements.rows import HeldStatement, ParkedStatement
from bridge.store.database import Database, Document, Session, reaches_store
from bridge.store.listing import Listing, Position
from bridge.store.writing import write


@reaches_store
class Waiting:
    """The ``parked`` and ``held`` collections; the statement itself stays in the ledger."""

    def __init__(self, database: Database) -> None:
        self._parked = database.collection("parked", ParkedStatement)
        self._held = database.collection("held", HeldStatement)

    async def prepare(self) -> None:
        """Create the indexes."""
        await self._parked.create_index("actor_key", name="actor")
        await self._parked.create_index([("at", 1), ("_id", 1)], name="age")
        await self._held.create_index([("member_id", 1), ("period_id", 1)], name="period")

    async def write(self, parked: Changes[ParkedStatement], held: Changes[HeldStatement], session: Session) -> None:
        """Write what waits from now on, and remove what does no more."""
        await write(self._parked, parked, session)
        await write(self._held, held, session)

    async def parked_for(
        self, actor_keys: Iterable[str], limit: int, session: Session | None = None
    ) -> list[ParkedStatement]:
        """Return statements parked for any of these actors, oldest first."""
        rows = self._parked.find({"actor_key": {"$in": list(actor_keys)}}, session=session)
        return [row async for row in rows.sort("at", 1).limit(limit)]

    async def held_for(
        self, member_id: str, frozen: Iterable[str], limit: int, session: Session | None = None
    ) -> list[HeldStatement]:
        """Return a member's held statements whose period is not among the ``frozen`` ones, oldest first."""
        query = {"member_id": member_id, "period_id": {"$nin": list(frozen)}}
        return [row async for row in self._held.find(query, session=session).sort("at", 1).limit(limit)]

    async def count_held(self, member_id: str) -> dict[str, int]:
        """Return period id → number of a member's completions that wait for its freeze to end."""
        completions = {"$sum": {"$cond": [{"$ifNull": ["$target", False]}, 0, 1]}}  # a null query may defeat the index
        pipeline = [{"$match": {"member_id": member_id}}, {"$group": {"_id": "$period_id", "n": completions}}]
        return {group["_id"]: group["n"] async for group in self._held.aggregate(pipeline) if group["n"]}

    async def parked(self, limit: int, after: Position | None) -> Listing[ParkedStatement]:
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


def _beyond(at: datetime, statement_id: str) -> Document:
    return {"$or": [{"at": {"$gt": at}}, {"at": at, "_id": {"$gt": statement_id}}]}
