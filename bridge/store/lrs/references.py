"""References between statements: noted with the one that refers, so that whichever comes last finds the other."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from pymongo import UpdateOne

from bridge.domain.lrs.rows import ReferenceRow
from bridge.store.database import Database, Session, bulk, reaches_store


@reaches_store
class References:
    """The ``lrs_references`` collection: a row a reference; ``_id`` is the statement that refers, ``to`` the other."""

    def __init__(self, database: Database) -> None:
        self._references = database.collection("lrs_references", ReferenceRow)

    async def add(self, references: Mapping[str, str], session: Session) -> None:
        """Note that each statement (the key) refers to another (the value); doing it again changes nothing."""
        changes = [UpdateOne({"_id": key}, {"$set": {"to": to}}, upsert=True) for key, to in references.items()]
        if changes:
            await bulk(self._references, changes, session)

    async def to(self, statement_ids: Iterable[str]) -> set[str]:
        """Return the ids of the statements that refer to any of these."""
        rows = self._references.find({"to": {"$in": list(statement_ids)}}, {"_id": 1})
        return {row["_id"] async for row in rows}
