"""Events waiting to be published: written in the same act as the change they tell of."""

from __future__ import annotations

from datetime import datetime, timedelta

from bridge.store.database import Database, Document, Session, insert_new, reaches_store

KEPT = timedelta(days=7)
"""How long a delivered event is remembered, so that a redelivered statement does not announce itself again."""


def event(event_id: str, kind: str, member_id: str, at: datetime, data: Document) -> Document:
    """Make an outbox row; ``data`` holds ids, states and dates only."""
    return {"_id": event_id, "type": kind, "member_id": member_id, "at": at, "data": data, "pending": True}


@reaches_store
class Outbox:
    """The ``outbox`` collection."""

    def __init__(self, database: Database) -> None:
        self._outbox = database.collection("outbox")

    async def prepare(self) -> None:
        """Create the indexes."""
        await self._outbox.create_index(
            [("at", 1), ("_id", 1)], name="pending", partialFilterExpression={"pending": True}
        )
        await self._outbox.create_index(
            "delivered_at",
            expireAfterSeconds=int(KEPT.total_seconds()),
            name="kept",
            partialFilterExpression={"delivered_at": {"$exists": True}},
        )

    async def add(self, events: list[Document], session: Session | None = None) -> None:
        """Add events; one that is there already, delivered or not, stays as it is."""
        if session is None:
            await insert_new(self._outbox, events)
        elif events:
            await self._outbox.insert_many(events, session=session)
