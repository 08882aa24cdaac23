"""Measurements of the store for operations: counts that cost nothing, and when the last backup was."""

from __future__ import annotations

from datetime import datetime

from bridge.store.database import Database, reaches_store


@reaches_store
class Measured:
    """The sizes of ``parked`` and ``held``, and of ``meta`` the row that ``cpd-bridge backup`` leaves."""

    def __init__(self, database: Database) -> None:
        self._parked = database.collection("parked")
        self._held = database.collection("held")
        self._meta = database.collection("meta")

    async def parked(self) -> int:
        """Return how many statements are parked, from the collection's own metadata: it reads none of them."""
        return await self._parked.estimated_document_count()

    async def held(self) -> int:
        """Return how many statements are held, from the collection's own metadata."""
        return await self._held.estimated_document_count()

    async def backup_at(self) -> datetime | None:
        """Return when the last backup succeeded, or None when none ever did (R84)."""
        row = await self._meta.find_one({"_id": "backup"}, {"at": 1})
        return row["at"] if row else None
