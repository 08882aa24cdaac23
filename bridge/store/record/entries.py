"""Log entries as statements make and change them; ``records`` has them as a member's portal reads and writes them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final

from bridge.domain.changes import Changes
from bridge.domain.record.entries import StoredEntry
from bridge.store.database import Database, Document, Session, reaches_store
from bridge.store.writing import write

DECIDED_BY: Final = (
    *("member_id", "merge_keys", "frozen", "listed", "deleted_at", "withdrawn_at", "touched_at", "updated_at"),
    *("version", "provenance"),
)
"""What a batch is decided by, and may change, of an entry that is there."""


@reaches_store
class Entries:
    """The ``log_entries`` collection; every member's query starts with ``member_id``."""

    def __init__(self, database: Database) -> None:
        self._entries = database.collection("log_entries", StoredEntry)

    async def prepare(self) -> None:
        """Create the index that lets one entry have a merge key; those of the member's lists are in ``records``."""
        await self._entries.create_index(
            [("member_id", 1), ("merge_keys", 1)],
            unique=True,
            partialFilterExpression={"merge_keys": {"$exists": True}},
            name="merge",
        )

    async def some(self, entry_ids: Iterable[str], session: Session) -> list[StoredEntry]:
        """Return those of the entries that are there, deleted ones too."""
        return await self._found({"_id": {"$in": sorted(set(entry_ids))}}, session)

    async def find_claimed(self, merge_keys: Mapping[str, Iterable[str]], session: Session) -> list[StoredEntry]:
        """Return the entries that hold any of these merge keys (member id → keys), deleted ones too.

        A read for each member: the embedded store reads every entry there is for all at once.
        """
        entries: list[StoredEntry] = []
        for member_id, keys in merge_keys.items():
            entries += await self._found({"member_id": member_id, "merge_keys": {"$in": sorted(set(keys))}}, session)
        return entries

    async def write(self, entries: Changes[StoredEntry], session: Session) -> None:
        """Write new drafts, and what statements change of other entries."""
        await write(self._entries, entries, session)

    async def _found(self, query: Document, session: Session) -> list[StoredEntry]:
        return [entry async for entry in self._entries.find(query, dict.fromkeys(DECIDED_BY, 1), session=session)]
