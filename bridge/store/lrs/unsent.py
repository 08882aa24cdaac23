"""Statements that are still to be published: a note of each write, in the order of their time by their id alone."""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from bridge.domain.lrs.rows import UnsentRow
from bridge.store.database import Database, Session, reaches_store


@dataclass(frozen=True, slots=True)
class Note:
    """Statements that were written together; the id begins with the time, in microseconds since 1970."""

    note_id: str
    statement_ids: Sequence[str]


@reaches_store
class Unsent:
    """The ``lrs_unsent`` collection."""

    def __init__(self, database: Database) -> None:
        self._notes = database.collection("lrs_unsent", UnsentRow)

    async def note(self, statement_ids: Sequence[str], at: int, session: Session | None = None) -> Note:
        """Note statements that are stored in the same transaction, at a time."""
        note = Note(f"{_prefix(at)}-{uuid.uuid4().hex}", statement_ids)
        await self._notes.insert_one({"_id": note.note_id, "ids": list(statement_ids)}, session=session)
        return note

    async def waiting(self, before: int, after: str, limit: int) -> list[Note]:
        """Return notes made before a time and behind the note ``after`` (empty: from the first), oldest first."""
        rows = self._notes.find({"_id": {"$gt": after, "$lt": _prefix(before)}}).sort("_id", 1).limit(limit)
        return [Note(row["_id"], row["ids"]) async for row in rows]

    async def oldest(self) -> datetime | None:
        """Return the time of the oldest note, or None when nothing is unsent."""
        row = await self._notes.find_one({"_id": {"$gt": ""}}, sort=[("_id", 1)])
        return datetime.fromtimestamp(int(row["_id"].partition("-")[0]) / 1e6, UTC) if row else None

    async def forget(self, note_ids: Iterable[str]) -> None:
        """Delete notes whose statements the broker has."""
        await self._notes.delete_many({"_id": {"$in": list(note_ids)}})


def _prefix(at: int) -> str:
    return f"{at:020}"
