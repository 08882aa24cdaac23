"""Schedules of what runs once a day, hour or minute: the last one done, and whether a worker is at it."""

from __future__ import annotations

from datetime import datetime, timedelta

from pymongo import ReturnDocument
from pymongo.errors import DuplicateKeyError

from bridge.domain.operations.schedules import Schedule
from bridge.store.database import Database, reaches_store


@reaches_store
class Schedules:
    """The ``schedules`` collection: a row a task, ``done`` the last day that was seen to.

    A day is YYYY-MM-DD, or any text whose order is that of time, such as the beginning of an hour.
    """

    def __init__(self, database: Database) -> None:
        self._schedules = database.collection("schedules", Schedule)

    async def claim(self, task: str, day: str, at: datetime, lease: timedelta) -> Schedule | None:
        """Take on a task for a day; None when it is done, or another worker is at it and its lease has not run out."""
        is_due = {"_id": task, "done": {"$not": {"$gte": day}}, "leased_until": {"$not": {"$gt": at}}}
        try:
            return await self._schedules.find_one_and_update(
                is_due, {"$set": {"leased_until": at + lease}}, upsert=True, return_document=ReturnDocument.BEFORE
            ) or {"_id": task}
        except DuplicateKeyError:
            return None  # the row is there, and it is not due

    async def done(self, task: str, day: str) -> None:
        """Note that a task is done for a day."""
        await self._schedules.update_one({"_id": task}, {"$set": {"done": day}, "$unset": {"leased_until": ""}})
