"""How many entries a member has, by period: kept in each act on the log, so that an overview costs a few reads.

A document per member and period: the numbers of ``domain.entries.facts``, as ``{draft, incomplete, complete, unlinked,
minutes, types: {type: {state: n}}, days: {day: n}}``.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from pymongo import UpdateOne

from bridge.store.database import Database, Document, Session, bulk, reaches_store


@reaches_store
class Tallies:
    """The ``tallies`` collection."""

    def __init__(self, database: Database) -> None:
        self._tallies = database.collection("tallies")

    async def prepare(self) -> None:
        """Create the indexes."""
        await self._tallies.create_index("member_id", name="member")

    async def of(
        self, member_id: str, period_ids: Iterable[str] | None = None, *, days: bool = False
    ) -> dict[str, Document]:
        """Return period id → tally of a member, all unless some are named; with its days only when asked for."""
        some = {} if period_ids is None else {"_id": {"$in": [f"{member_id}/{one}" for one in period_ids]}}
        rows = self._tallies.find({**some, "member_id": member_id}, None if days else {"days": 0})
        return {row["period_id"]: row async for row in rows}

    async def add(self, member_id: str, changes: Mapping[str, Mapping[str, int]], session: Session) -> None:
        """Add to the tallies: period id → path → number."""
        updates: list[UpdateOne] = []
        for period_id, numbers in changes.items():
            own = {"_id": f"{member_id}/{period_id}"}
            named = {"member_id": member_id, "period_id": period_id}
            if numbers:
                updates.append(UpdateOne(own, {"$inc": dict(numbers), "$setOnInsert": named}, upsert=True))
        if updates:
            await bulk(self._tallies, updates, session)
