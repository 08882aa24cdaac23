"""Answers kept for a day, so that a repeated ``POST`` gives what the first one gave (api.md, Idempotency-Key)."""

from __future__ import annotations

from datetime import datetime, timedelta

from pymongo.errors import DuplicateKeyError

from bridge.domain.operations.idempotency import IdempotentAnswer
from bridge.store.database import Database, Session, reaches_store

KEPT = timedelta(hours=24)
"""How long an answer is remembered."""


@reaches_store
class Answers:
    """The ``idempotency`` collection: a row per caller, route and key, with a digest of the body and the answer."""

    def __init__(self, database: Database) -> None:
        self._answers = database.collection("idempotency", IdempotentAnswer)

    async def get(self, row_id: str, at: datetime, session: Session) -> IdempotentAnswer | None:
        """Return the row, or None when there is none from the last day; the sweep that removes rows may lag."""
        return await self._answers.find_one({"_id": row_id, "at": {"$gt": at - KEPT}}, session=session)

    async def put(self, row: IdempotentAnswer, session: Session) -> None:
        """Keep an answer; one that is out of date is replaced."""
        await self._answers.replace_one({"_id": row["_id"]}, row, upsert=True, session=session)

    async def put_if_new(self, row: IdempotentAnswer) -> IdempotentAnswer:
        """Keep a row unless there is one from the last day; return the one that is kept."""
        try:
            await self._answers.replace_one({"_id": row["_id"], "at": {"$lte": row["at"] - KEPT}}, row, upsert=True)
        except DuplicateKeyError:
            return await self._answers.find_one({"_id": row["_id"]}) or row
        return row
