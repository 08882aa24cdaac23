"""Statements of the LRS: the ledger's own rows, with a sub-document ``lrs`` of what they are found and shown by.

One index serves every query: ``keys`` holds the hashed keys of a statement (and of those it refers to), ``at`` the
time stored in microseconds.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Iterable, Mapping, Sequence
from typing import Any, cast

from pymongo import InsertOne, UpdateOne

from bridge.domain.lrs.index_keys import StatementQuery
from bridge.domain.lrs.rows import LrsRow, NewStatement, ReferenceRow
from bridge.domain.statements.ledger import ChainRow, LedgerRow
from bridge.store.database import Database, Session, bulk, reaches_store, rows_by_id
from bridge.store.lrs.search import stages
from bridge.store.lrs.unsent import Note, Unsent

READ_AT_ONCE = 50
"""Statements that the driver reads at once: a page of large ones is never held whole."""


@reaches_store
class LrsLedger:
    """The LRS's side of ``statements``, and which of them refers to which (``lrs_references``)."""

    def __init__(self, database: Database) -> None:
        self._statements = database.collection("statements", LrsRow)
        self._references = database.collection("lrs_references", ReferenceRow)
        self._unsent = Unsent(database)
        self._key = database.erasure_key

    async def rows_of(self, statement_ids: Iterable[str], session: Session | None = None) -> dict[str, LedgerRow]:
        """Return id → row of the statements that are there, those included that only a voiding has named."""
        return cast("dict[str, LedgerRow]", await rows_by_id(self._statements, statement_ids, session))

    async def stored(self, statement_ids: Iterable[str]) -> list[LrsRow]:
        """Return the rows of the statements whose text is here, in the order of the ids."""
        ids = list(statement_ids)
        rows = await self.rows_of(ids) if ids else {}
        return [cast("LrsRow", rows[i]) for i in ids if "lrs" in rows.get(i, ())]

    async def add(
        self,
        statements: Sequence[NewStatement],
        rows: Mapping[str, LedgerRow],
        voidings: Mapping[str, str],
        session: Session,
    ) -> Note:
        """Store statements and the note that they are unsent, which is returned (``unsent``).

        ``rows`` are those that the transaction has found there, which get what is missing. ``voidings`` maps the id of
        each statement that is voided now to the one that voids it.
        """
        secret = await self._key.get()
        operations = [_operation(statement.row(secret), rows.get(statement.statement_id)) for statement in statements]
        operations += [
            UpdateOne({"_id": target}, {"$set": {"voided_by": by}}, upsert=True) for target, by in voidings.items()
        ]
        await bulk(self._statements, operations, session)
        references = [
            UpdateOne({"_id": new.statement_id}, {"$set": {"to": new.index_keys.target}}, upsert=True)
            for new in statements
            if new.index_keys.target
        ]
        if references:
            await bulk(self._references, references, session)
        ids = [statement.statement_id for statement in statements]
        return await self._unsent.note(ids, min(statement.at for statement in statements), session)

    async def get(self, statement_id: str) -> LrsRow | None:
        """Return a stored statement, voided or not."""
        row = await self._statements.find_one({"_id": statement_id})
        return row if row and "lrs" in row else None

    async def find(self, query: StatementQuery, limit: int) -> AsyncGenerator[LrsRow]:
        """Yield up to ``limit`` statements in order, read from the store as they are taken."""
        async for row in self._statements.aggregate(stages(query, limit), batchSize=READ_AT_ONCE):
            yield row

    async def find_linked(self, targets: Sequence[str], statement_ids: Sequence[str]) -> list[LrsRow]:
        """Return the statements that refer to one of ``targets``, and those of ``statement_ids``: what they link by."""
        references = self._references.find({"to": {"$in": list(targets)}}, {"_id": 1})
        ids = {*statement_ids, *[row["_id"] async for row in references]}
        if not ids:
            return []
        fields = {"lrs.keys": 1, "lrs.roles": 1, "lrs.target": 1, "lrs.chain": 1}
        rows = self._statements.find({"_id": {"$in": list(ids)}}, fields)
        return [row async for row in rows if row.get("lrs")]

    async def add_chain(self, statement_id: str, chain: Sequence[ChainRow]) -> None:
        """Let a statement be found by the keys of those it refers to; its own are among ``chain``."""
        keys = sorted({key for link in chain for key in link["keys"]})
        roles = sorted({key for link in chain for key in link["roles"]})
        change = {"lrs.chain": {"$each": chain}, "lrs.keys": {"$each": keys}, "lrs.roles": {"$each": roles}}
        await self._statements.update_one({"_id": statement_id}, {"$addToSet": change})


def _operation(row: LrsRow, current: LedgerRow | None) -> InsertOne[LrsRow] | UpdateOne:
    """Insert a new statement; give a row that the worker or a voiding made what it lacks."""
    if current is None:
        return InsertOne(row)
    lacking: Any = {name: value for name, value in row.items() if current.get(name) != value}
    if "via" in current:
        del lacking["via"]  # it came another way first
    return UpdateOne({"_id": row["_id"]}, {"$set": lacking})
