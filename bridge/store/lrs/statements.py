"""Statements of the LRS: the ledger's own rows, with a sub-document ``lrs`` of what they are found and shown by.

One index serves every query: ``keys`` holds the hashed facts of a statement (and of those it refers to), ``at`` the
time stored in microseconds. Before a statement is stored, its references are (``references``).
"""

from __future__ import annotations

import time
from collections.abc import AsyncGenerator, Iterable, Mapping, Sequence
from typing import Any, Final

from pymongo import InsertOne, UpdateOne
from pymongo.errors import BulkWriteError

from bridge.store.database import Database, Document, Session, bulk, duplicates, reaches_store, rows_by_id
from bridge.store.erasures import ErasureKey
from bridge.store.lrs.references import References
from bridge.store.lrs.rows import Link, Row
from bridge.store.lrs.search import Search
from bridge.store.lrs.unsent import Unsent
from bridge.store.statements import GONE, is_same, is_voiding

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
        await self._references.add(_references(rows))
        secret = await self._key.get()
        operations = [_operation(row.document(secret), known.get(row.statement_id)) for row in rows]
        operations += [
            UpdateOne({"_id": target}, {"$set": {"voided_by": by}}, upsert=True) for target, by in voided.items()
        ]
        try:
            return await self._database.transaction(lambda session: self._write(rows, operations, session))
        except BulkWriteError as error:
            duplicates(error)
            raise Raced from None

    async def _write(
        self, rows: Sequence[Row], operations: Sequence[InsertOne[Document] | UpdateOne], session: Session
    ) -> str:
        result = await bulk(self._statements, operations, session)
        if result.inserted_count + result.matched_count + result.upserted_count < len(operations):
            raise Raced
        return await self._unsent.note([row.statement_id for row in rows], min(row.at for row in rows), session)

    async def one(self, statement_id: str) -> Document | None:
        """Return a stored statement, voided or not."""
        row = await self._statements.find_one({"_id": statement_id})
        return row if row and "lrs" in row else None

    async def find(self, search: Search, limit: int) -> AsyncGenerator[Document]:
        """Yield up to ``limit`` statements in order, read from the store as they are taken."""
        for low, high in search.windows(time.time_ns() // 1000):
            async for row in self._statements.aggregate(search.stages(low, high, limit), batchSize=BATCH):
                yield row
                limit -= 1
            if limit <= 0:
                return

    async def take(self, rows: Sequence[Document]) -> set[str]:
        """Settle, as these ledger rows say, statements stored over HTTP that nobody has settled; returns their ids.

        One that is voided, unless it is a voiding itself (xAPI-Data §2.3.2), or another statement under the same id,
        is left as it is.
        """
        waiting: Document = {"lrs": {"$exists": True}, "disposition": None}
        found = self._statements.find({**_among(rows), **waiting}, {"digest": 1, "redacted": 1}) if rows else None
        there = {row["_id"]: row async for row in found} if found else {}
        mine = [row for row in rows if row["_id"] in there and is_same(there[row["_id"]], row["digest"])]
        if not mine:
            return set()
        changes = [UpdateOne({"_id": row["_id"], **waiting, **_unless_voided(row)}, _taking(row)) for row in mine]
        result = await bulk(self._statements, changes)
        if result.matched_count == len(mine):
            return {row["_id"] for row in mine}
        # Another worker took some, or a voiding came: what is settled by now is safe to carry out once more.
        settled = self._statements.find({**_among(mine), "disposition": {"$ne": None}}, {"_id": 1})
        return {row["_id"] async for row in settled}

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


def _among(rows: Sequence[Document]) -> Document:
    return {"_id": {"$in": [row["_id"] for row in rows]}}


def _unless_voided(row: Document) -> Document:
    return {} if is_voiding(row) else {"voided_by": None}


def _taking(row: Document) -> Document:
    """Settle a statement; one of somebody who was erased keeps neither its text nor what it is found by."""
    outcome = {name: row[name] for name in ("disposition", "reason", "member_id", "entry_id") if name in row}
    return {"$set": outcome} if row["raw"] else GONE


def _operation(document: Document, there: Document | None) -> InsertOne[Document] | UpdateOne:
    """Insert a new statement; give a row that the worker or a voiding made what it lacks, unless it changed since."""
    if there is None:
        return InsertOne(document)
    lacking: Any = {name: value for name, value in document.items() if there.get(name) != value}
    as_read = {"lrs": None, "digest": there.get("digest"), "raw": there.get("raw")}
    return UpdateOne({"_id": document["_id"], **as_read}, {"$set": lacking})
