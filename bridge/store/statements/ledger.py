"""The ledger of statements: each kept as received, with its one disposition (invariant 1)."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from bridge.domain.changes import Changes
from bridge.domain.statements.dispositions import Disposition, Reason
from bridge.domain.statements.rows import LedgerRow
from bridge.store.database import Database, Document, Session, reaches_store
from bridge.store.writing import write

GONE: Final[Document] = {
    "$set": {
        "raw": b"",
        "digest": b"",
        "disposition": Disposition.IGNORED.value,
        "reason": Reason.ERASED.value,
    },
    "$unset": dict.fromkeys(("member_id", "entry_id", "lrs", "about", "redacted"), ""),
}
"""The change that makes of a row what ``ledger.erased`` does, for rows that nobody has read."""

DECIDED_BY: Final = (
    *("digest", "redacted", "received_at", "disposition", "reason", "member_id", "entry_id", "voided_by"),
    *("about", "lrs.by"),
)
"""What a batch is decided by; texts may be long, and what the LRS finds a statement by longer."""


@reaches_store
class Statements:
    """The ``statements`` collection, keyed by statement id."""

    def __init__(self, database: Database) -> None:
        self._statements = database.collection("statements", LedgerRow)

    async def prepare(self) -> None:
        """Create the indexes."""
        await self._statements.create_index("member_id", sparse=True, name="member")
        await self._statements.create_index("about", sparse=True, name="about")

    async def rows(self, statement_ids: Iterable[str], session: Session, *, raw: bool = False) -> list[LedgerRow]:
        """Return what a batch is decided by of the rows that are there, with the texts when ``raw`` is given."""
        fields = dict.fromkeys((*DECIDED_BY, *(("raw",) if raw else ())), 1)
        rows = self._statements.find({"_id": {"$in": sorted(set(statement_ids))}}, fields, session=session)
        return [row async for row in rows]

    async def write(self, rows: Changes[LedgerRow], session: Session) -> None:
        """Write new rows, and what became of those that were there."""
        await write(self._statements, rows, session)

    async def counts(self) -> dict[str, int]:
        """Return disposition → number of statements; one that no worker has taken yet has none and is not counted."""
        settled = {"$match": {"disposition": {"$exists": True}}}
        groups = self._statements.aggregate([settled, {"$group": {"_id": "$disposition", "n": {"$sum": 1}}}])
        return {group["_id"]: group["n"] async for group in groups}
