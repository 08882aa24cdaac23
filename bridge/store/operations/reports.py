"""Counts for reports, read from indexes that have all that is counted: no text, and no whole document."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

from bridge.domain.operations.reports import Cell
from bridge.domain.record import state_of
from bridge.domain.record.entries import StoredEntry
from bridge.domain.record.plan import StoredPlanItem
from bridge.domain.statements.ledger import LedgerRow
from bridge.store.database import Collection, Database, Document, Query, Stage, reaches_store
from bridge.store.statements.search import FateQuery

ENTRY_FIELDS = ("type", "source", "draft", "complete")
"""What entries are told apart by."""


@reaches_store
class ReportCounts:
    """Counts of the ledger's rows, log entries and plan items by month, each with the number of people behind it."""

    def __init__(self, database: Database) -> None:
        self._statements = database.collection("statements", LedgerRow)
        self._entries = database.collection("log_entries", StoredEntry)
        self._items = database.collection("plan_items", StoredPlanItem)

    async def statements(self, start: datetime, end: datetime) -> list[Cell]:
        """Return the statements that came in a time by how they came, how they ended and why."""
        cells: list[Cell] = []
        for seek in FateQuery(start=start, end=end).seeks():
            if seek["disposition"] is not None:
                rows = await _groups(self._statements, seek, ("via",), {"$ifNull": ["$member_id", "$actor"]})
                ending = (seek["disposition"], seek["reason"])
                cells += [Cell((row["via"], *ending), row["rows"], row["people"]) for row in rows]
        return cells

    async def entries(self, start: datetime, end: datetime) -> list[Cell]:
        """Return the live entries that were made in a time by type, source and state."""
        rows = await _groups(self._entries, _made(start, end), ENTRY_FIELDS, "$member_id")
        return [
            Cell((row["type"], row["source"], state_of(draft=row["draft"], complete=row["complete"])), *_sizes(row))
            for row in rows
        ]

    async def plan_items(self, start: datetime, end: datetime) -> list[Cell]:
        """Return the live plan items that were made in a time by state."""
        rows = await _groups(self._items, _made(start, end), ("complete",), "$member_id")
        return [Cell((state_of(draft=False, complete=row["complete"]),), *_sizes(row)) for row in rows]

    async def members(self, start: datetime, end: datetime, cells: Iterable[Cell]) -> Cell:
        """Return how many members have an entry, made in a time, in one of these cells."""
        kinds = [_kind(cell.key) for cell in cells]
        if not kinds:
            return Cell((), 0, 0)
        stages = [{"$match": _made(start, end)}, {"$match": {"$or": kinds}}, {"$group": {"_id": "$member_id"}}]
        rows = self._entries.aggregate([*stages, {"$group": {"_id": None, "people": {"$sum": 1}}}])
        people = sum([row["people"] async for row in rows])
        return Cell((), people, people)


def _made(start: datetime, end: datetime) -> Query:
    return {"created_at": {"$gte": start, "$lt": end}, "listed": True}


def _kind(key: Sequence[str | None]) -> Query:
    """Return the query of the entries of a cell."""
    entry_type, source, state = key
    completeness = {} if state == "draft" else {"complete": state == "complete"}
    return {"type": entry_type, "source": source, "draft": state == "draft", **completeness}


def _sizes(row: Document) -> tuple[int, int]:
    return row["rows"], row["people"]


async def _groups(collection: Collection[Any], match: Query, by: Sequence[str], person: Query | str) -> list[Document]:
    """Return rows for each combination of the fields ``by``: the fields, ``rows`` and ``people``.

    ``person`` says whose a row is; what is nobody's counts as a row of no people.
    """
    fields: Query = {name: {"$ifNull": [f"${name}", None]} for name in by}
    key = {name: f"$_id.{name}" for name in by}
    is_someone: Query = {"$cond": [{"$ifNull": ["$_id.person", False]}, 1, 0]}
    stages: list[Stage] = [
        {"$match": match},
        {"$group": {"_id": {**fields, "person": {"$ifNull": [person, None]}}, "rows": {"$sum": 1}}},
        {"$group": {"_id": key, "rows": {"$sum": "$rows"}, "people": {"$sum": is_someone}}},
    ]
    return [{**row["_id"], "rows": row["rows"], "people": row["people"]} async for row in collection.aggregate(stages)]
