"""Parked statements as a list for operations: which wait, and since when; never whose name they carry."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from bridge.store.database import Database, Document, reaches_store
from bridge.store.listing import Listing


@reaches_store
class ParkedList:
    """Reads the ``parked`` collection, which ``Waiting`` writes."""

    def __init__(self, database: Database) -> None:
        self._parked = database.collection("parked")

    async def prepare(self) -> None:
        """Create the index of this order."""
        await self._parked.create_index([("at", 1), ("_id", 1)], name="age")

    async def list(self, limit: int, after: list[Any] | None) -> Listing:
        """Return a page, those that have waited longest first; ``after`` is ``[at in ISO 8601, id]``."""
        query = {} if after is None else _beyond(datetime.fromisoformat(str(after[0])), str(after[1]))
        rows = [row async for row in self._parked.find(query).sort([("at", 1), ("_id", 1)]).limit(limit + 1)]
        items = rows[:limit]
        more = [items[-1]["at"].isoformat(), items[-1]["_id"]] if len(rows) > limit else None
        return Listing(items, more, await self._parked.count_documents({}))

    async def oldest(self) -> datetime | None:
        """Return since when the oldest waits, or None when none does."""
        row = await self._parked.find_one({}, sort=[("at", 1)])
        return row["at"] if row else None


def _beyond(at: datetime, statement_id: str) -> Document:
    return {"$or": [{"at": {"$gt": at}}, {"at": at, "_id": {"$gt": statement_id}}]}
