"""Which statements refer to a statement: noted before they are stored, so that whichever comes last finds the other."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from pymongo import UpdateOne

from bridge.store.database import Database, bulk, reaches_store


@reaches_store
class References:
    """The ``lrs_references`` collection: ``_id`` is the statement referred to, ``by`` the ids of those that refer."""

    def __init__(self, database: Database) -> None:
        self._references = database.collection("lrs_references")

    async def add(self, references: Mapping[str, str]) -> None:
        """Note that each statement (the key) refers to another (the value); doing it again changes nothing."""
        changes = [UpdateOne({"_id": to}, {"$addToSet": {"by": key}}, upsert=True) for key, to in references.items()]
        if changes:
            await bulk(self._references, changes)

    async def to(self, statement_ids: Iterable[str]) -> set[str]:
        """Return the ids of the statements that refer to any of these."""
        found = self._references.find({"_id": {"$in": list(statement_ids)}})
        return {key async for row in found for key in row["by"]}
