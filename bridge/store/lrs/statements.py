"""Statements of the LRS: the ledger's own rows, with a sub-document ``lrs`` of what they are found and shown by.

One index serves every query: ``keys`` holds the hashed facts of a statement (and of those it refers to), ``at`` the
time stored in microseconds.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Iterable, Mapping, Sequence
from typing import Any, Final

from pymongo import InsertOne, UpdateOne

from bridge.store.database import AlreadyThere, Database, Document, Session, bulk, reaches_store, rows_by_id
from bridge.store.lrs.references import References
from bridge.store.lrs.rows import Link, Row
from bridge.store.lrs.search import Search
from bridge.store.lrs.unsent import Unsent
from bridge.store.privacy.erasures import ErasureKey

NOTHING_KNOWN: Final[Mapping[str, Document]] = {}
NOTHING_VOIDED: Final[Mapping[str, str]] = {}

BATCH = 50
"""Statements that the driver reads at once: a page of large ones is never held whole."""


class Raced(Exception):
    """Another writer stored one of the statements meanwhile; look again and decide anew."""


@reaches_store
class LrsStatements:
    """The LRS's side of the ``statements`` collection."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._statements = database.collection("statements")
        self._references = References(database)
        self._unsent = Unsent(database)
        self._key = ErasureKey(database)

    async def prepare(self) -> None:
        """Create the indexes."""
        # The field that makes it partial comes first: the embedded store takes a partial index only so.
        found_by = [("lrs.here", 1), ("lrs.keys", 1), ("lrs.at", -1), ("_id", -1)]
        await self._statements.create_index(found_by, name="lrs_find", partialFilterExpression={"lrs.here": True})
        await self._statements.create_index("lrs.attached.sha2", name="lrs_attached", sparse=True)

    async def known(self, statement_ids: Iterable[str]) -> dict[str, Document]:
        """Return id → row of the statements that are there, those included that only a voiding has named."""
        return await rows_by_id(self._statements, statement_ids)

    async def add(
        self,
        rows: Sequence[Row],
        known: Mapping[str, Document] = NOTHING_KNOWN,
        voided: Mapping[str, str] = NOTHING_VOIDED,
    ) -> str:
        """Store statements, all or none, and the note that they are unsent, whose id is returned (``unsent``).

        ``known`` are the rows that are there already, which get what is missing. ``voided`` maps the id of
        each statement that is voided now to the one that voids it. Raises ``Raced`` when another came between.
        """
        secret = await self._key.get()
        operations = [_operation(row.document(secret), known.get(row.statement_id)) for row in rows]
        operations += [
            UpdateOne({"_id": target}, {"$set": {"voided_by": by}}, upsert=True) for target, by in voided.items()
        ]
        try:
            return await self._database.transaction(lambda session: self._write(rows, operations, session))
        except AlreadyThere:
            raise Raced from None

    async def _write(
        self, rows: Sequence[Row], operations: Sequence[InsertOne[Document] | UpdateOne], session: Session
    ) -> str:
        result = await bulk(self._statements, operations, session)
        if result.inserted_count + result.matched_count + result.upserted_count < len(operations):
            raise Raced
        await self._references.add(_references(rows), session)
        return await self._unsent.note([row.statement_id for row in rows], min(row.at for row in rows), session)

    async def one(self, statement_id: str) -> Document | None:
        """Return a stored statement, voided or not."""
        row = await self._statements.find_one({"_id": statement_id})
        return row if row and "lrs" in row else None

    async def find(self, search: Search, limit: int) -> AsyncGenerator[Document]:
        """Yield up to ``limit`` statements in order, read from the store as they are taken."""
        async for row in self._statements.aggregate(search.stages(limit), batchSize=BATCH):
            yield row

    async def links(self, referred: Sequence[str], others: Sequence[str]) -> list[Document]:
        """Return the statements that refer to one of ``referred``, and ``others``."""
        wanted = {*others, *await self._references.to(referred)}
        fields = {"lrs.keys": 1, "lrs.roles": 1, "lrs.target": 1, "lrs.chain": 1}
        found = self._statements.find({"_id": {"$in": list(wanted)}}, fields) if wanted else None
        return [row async for row in found if row.get("lrs")] if found else []

    async def chain(self, statement_id: str, links: Mapping[str, Link]) -> None:
        """Let a statement be found by the facts of those it refers to; its own are among ``links``."""
        keys = sorted({key for one in links.values() for key in one.keys})
        roles = sorted({key for one in links.values() for key in one.roles})
        chain = [{"id": key, "keys": sorted(one.keys), "roles": sorted(one.roles)} for key, one in links.items()]
        change: Document = {"lrs.chain": {"$each": chain}, "lrs.keys": {"$each": keys}, "lrs.roles": {"$each": roles}}
        await self._statements.update_one({"_id": statement_id}, {"$addToSet": change})


def _references(rows: Iterable[Row]) -> dict[str, str]:
    return {row.statement_id: row.found_by.target for row in rows if row.found_by.target}


def _operation(document: Document, there: Document | None) -> InsertOne[Document] | UpdateOne:
    """Insert a new statement; give a row that the worker or a voiding made what it lacks, unless it changed since."""
    if there is None:
        return InsertOne(document)
    lacking: Any = {name: value for name, value in document.items() if there.get(name) != value}
    as_read = {"lrs": None, "digest": there.get("digest"), "raw": there.get("raw")}
    return UpdateOne({"_id": document["_id"], **as_read}, {"$set": lacking})
