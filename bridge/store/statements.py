"""The ledger of statements: each kept as received, with its one disposition (invariant 1)."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from datetime import datetime
from typing import Any

from pymongo import UpdateOne

from bridge.domain import comparison
from bridge.domain.dispositions import Disposition, Outcome, Reason
from bridge.domain.erasing import mention
from bridge.store.database import Database, Document, bulk, insert_new, reaches_store, rows_by_id

GONE: Document = {
    "$set": {
        "raw": b"",
        "digest": b"",
        "disposition": Disposition.IGNORED.value,
        "reason": Reason.ERASED.value,
    },
    "$unset": dict.fromkeys(("member_id", "entry_id", "lrs", "about", "redacted"), ""),
}
"""The change that leaves of a statement that it was here and was erased; even its digest could be guessed at."""


def row(
    statement_id: str, raw: bytes, digest: bytes, received_at: datetime, outcome: Outcome, stones: Collection[str] = ()
) -> Document:
    """Make the ledger's document of a statement: the raw bytes and the few indexed facts beside them.

    ``stones`` are the tombstones of those it names whom ``member_id`` does not lead to; an erasure finds it by.
    """
    about = {"about": sorted(map(mention, stones))} if stones else {}
    received = {"_id": statement_id, "raw": raw, "digest": digest, "received_at": received_at}
    return {**received, **_settled(outcome), **about}


def _kept(row: Document) -> Document:
    return {**row, "digest": b""} if is_erased(row) else row


def is_erased(known: Document) -> bool:
    """Say whether a row is of a statement that was erased."""
    return known.get("reason") == Reason.ERASED.value


def is_voiding(claimed: Document) -> bool:
    """Say whether a row to be claimed is of a voiding, which alone is withdrawn and has no entry."""
    return claimed["disposition"] == Disposition.WITHDRAWN.value and "entry_id" not in claimed


def is_same(known: Mapping[str, Any], digest: bytes) -> bool:
    """Say whether a digest is of the statement that a row holds: as it came, or as erasures left it."""
    return any(comparison.is_same(digest, own) for own in (known["digest"], *known.get("redacted", ())))


def _settling(outcome: Outcome) -> Document:
    if outcome.reason is Reason.ERASED:
        return GONE
    facts = _settled(outcome)
    former = {name: "" for name in ("member_id", "entry_id") if name not in facts}
    return {"$set": facts, "$unset": former} if former else {"$set": facts}


def _settled(outcome: Outcome) -> Document:
    facts = {
        "disposition": outcome.disposition.value,
        "reason": outcome.reason.value if outcome.reason else None,
        "member_id": outcome.member_id,
        "entry_id": outcome.entry_id,
    }
    return {name: value for name, value in facts.items() if value is not None}


@reaches_store
class Statements:
    """The ``statements`` collection, keyed by statement id."""

    def __init__(self, database: Database) -> None:
        self._statements = database.collection("statements")

    async def prepare(self) -> None:
        """Create the indexes."""
        await self._statements.create_index("member_id", sparse=True, name="member")
        await self._statements.create_index("about", sparse=True, name="about")

    async def claim(self, rows: list[Document]) -> set[str]:
        """Write the rows of statements seen for the first time; returns the ids that were there already.

        A voiding that was voided before it came is as if it had not been (xAPI-Data §2.3.2).
        """
        refused = await insert_new(self._statements, [_kept(row) for row in rows])
        return {rows[n]["_id"] for n in refused if not (is_voiding(rows[n]) and await self.fill(rows[n]))}

    async def known(self, statement_ids: Iterable[str]) -> dict[str, Document]:
        """Return id → row of the statements that are there."""
        return await rows_by_id(self._statements, statement_ids)

    async def voided(self, statement_ids: Collection[str]) -> dict[str, str]:
        """Return id → voiding of those that are marked as voided."""
        if not statement_ids:
            return {}
        query = {"_id": {"$in": list(statement_ids)}, "voided_by": {"$gt": ""}}
        return {row["_id"]: row["voided_by"] async for row in self._statements.find(query, {"voided_by": 1})}

    async def settle(self, outcomes: dict[str, Outcome]) -> None:
        """Correct the disposition of statements whose outcome a race or a later event decided; an erased one stays."""
        kept: Document = {"reason": {"$ne": Reason.ERASED.value}}
        changes = [UpdateOne({"_id": key, **kept}, _settling(outcome)) for key, outcome in outcomes.items()]
        if changes:
            await bulk(self._statements, changes)

    async def fill(self, received: Document) -> bool:
        """Complete the row that a voiding made for a statement that had not arrived yet; says whether it was so."""
        facts = {name: value for name, value in _kept(received).items() if name != "_id"}
        result = await self._statements.update_one({"_id": received["_id"], "digest": None}, {"$set": facts})
        return result.matched_count == 1

    async def void(self, target: str, voiding_id: str) -> Document | None:
        """Mark a statement as voided, even before it arrives; returns its row.

        Two commands, since the embedded store reads a whole collection for a ``findAndModify``. What is settled
        between them is in the row; what is settled later finds the mark.
        """
        await self._statements.update_one({"_id": target}, {"$set": {"voided_by": voiding_id}}, upsert=True)
        return await self._statements.find_one({"_id": target})

    async def counts(self) -> dict[str, int]:
        """Return disposition → number of statements; one that no worker has taken yet has none and is not counted."""
        settled = {"$match": {"disposition": {"$exists": True}}}
        groups = self._statements.aggregate([settled, {"$group": {"_id": "$disposition", "n": {"$sum": 1}}}])
        return {group["_id"]: group["n"] async for group in groups}
