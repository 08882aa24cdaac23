"""Which statements are still to be brought to the broker: ids, noted in the transaction that stores the statements.

A note for each write, of one statement or of hundreds, costs next to nothing beside them; a mark and an index on every
statement cost as much as the statement. Notes are kept in the order of their time by their id alone.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from bridge.store.database import Database, Session, reaches_store


@dataclass(frozen=True, slots=True)
class Note:
    """Statements written together; ``at`` is the time of the note, in microseconds since 1970."""

    note_id: str
    statement_ids: Sequence[str]

    @property
    def at(self) -> int:
        """When it was made."""
        return int(self.note_id.partition("-")[0])


@reaches_store
class Unsent:
    """The ``lrs_unsent`` collection."""

    def __init__(self, database: Database) -> None:
        self._notes = database.collection("lrs_unsent")

    async def note(self, statement_ids: Sequence[str], at: int, session: Session | None = None) -> str:
        """Note statements that are stored in the same transaction; returns the note's id, to be given to ``sent``."""
        note_id = f"{_ordered(at)}-{uuid.uuid4().hex}"
        await self._notes.insert_one({"_id": note_id, "ids": list(statement_ids)}, session=session)
        return note_id

    async def waiting(self, before: int, after: str, limit: int) -> list[Note]:
        """Return notes made before a time and behind the note ``after`` (empty: from the first), oldest first."""
        found = self._notes.find({"_id": {"$gt": after, "$lt": _ordered(before)}}).sort("_id", 1).limit(limit)
        return [Note(row["_id"], row["ids"]) async for row in found]

    async def oldest(self) -> datetime | None:
        """Return the time of the oldest note, or None when nothing is unsent."""
        row = await self._notes.find_one({"_id": {"$gt": ""}}, sort=[("_id", 1)])
        return datetime.fromtimestamp(Note(row["_id"], row["ids"]).at / 1e6, UTC) if row else None

    async def sent(self, note_ids: Iterable[str]) -> None:
        """Forget notes whose statements the broker has."""
        await self._notes.delete_many({"_id": {"$in": list(note_ids)}})


def _ordered(at: int) -> str:
    return f"{at:020}"
