"""Events waiting to be published: written in the same act as the change they tell of.

A row is one event, or a block of events that were made together: a batch of drafts costs one write, whatever its size.
"""

from __future__ import annotations

import time
import uuid
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from bridge import tracing
from bridge.store.database import Database, Document, Session, insert_new, reaches_store

KEPT = timedelta(days=7)
"""How long a delivered event is remembered, so that a redelivered statement does not announce itself again."""

PENDING: Document = {"pending": True}


def event(
    event_id: str, kind: str, member_id: str, at: datetime, data: Document, traceparent: str | None = None
) -> Document:
    """Make an outbox row; ``data`` holds ids, states and dates only.

    ``seq`` (µs since 1970) puts a member's events in the order in which they were made, which acts on one record never
    overlap in; ``at`` is when the thing happened, to the millisecond that the store keeps.
    ``traceparent`` is the trace it belongs to: that of the work at hand unless given.
    """
    trace = traceparent or tracing.current()
    return {
        "_id": event_id,
        "type": kind,
        "member_id": member_id,
        "at": at,
        "data": data,
        "pending": True,
        "seq": time.time_ns() // 1000,
        **({} if trace is None else {"traceparent": trace}),
    }


def events_of(row: Document) -> list[Document]:
    """Return the events of a row, in order."""
    return row.get("block", [row])


@dataclass(frozen=True, slots=True)
class Lag:
    """How many events wait to be published, and the age of the oldest in seconds (0 when none waits)."""

    count: int
    age: float


@reaches_store
class Outbox:
    """The ``outbox`` collection."""

    def __init__(self, database: Database) -> None:
        self._outbox = database.collection("outbox")

    async def prepare(self) -> None:
        """Create the indexes."""
        await self._outbox.create_index(
            [("seq", 1), ("_id", 1)], name="pending_in_order", partialFilterExpression=PENDING
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

    async def add_block(self, events: list[Document]) -> None:
        """Add events as one row, which is gone once they are delivered; nothing recognises one that comes again."""
        if events:
            await self._outbox.insert_one(
                {"_id": uuid.uuid4().hex, "block": events, "pending": True, "seq": events[0]["seq"]}
            )

    async def pending(self, limit: int) -> list[Document]:
        """Return the rows to publish next, in order (``events_of``)."""
        found = self._outbox.find(PENDING).sort([("seq", 1), ("_id", 1)]).limit(limit)
        return [row async for row in found]

    async def delivered(self, rows: Iterable[Document]) -> None:
        """Note that the broker has the events of these rows."""
        blocks, single = list[str](), list[str]()
        for row in rows:
            (blocks if "block" in row else single).append(row["_id"])
        if blocks:
            await self._outbox.delete_many({"_id": {"$in": blocks}})
        if single:
            change = {"$set": {"delivered_at": datetime.now(UTC)}, "$unset": {"pending": ""}}
            await self._outbox.update_many({"_id": {"$in": single}}, change)

    async def lag(self) -> Lag:
        """Return how far publishing is behind."""
        oldest = await self.pending(1)
        if not oldest:
            return Lag(0, 0.0)
        size = {"$sum": {"$size": {"$ifNull": ["$block", [1]]}}}
        groups = self._outbox.aggregate([{"$match": PENDING}, {"$group": {"_id": None, "n": size}}])
        count = sum([group["n"] async for group in groups])  # no group at all when the last was delivered meanwhile
        return Lag(count, max(0.0, time.time() - oldest[0]["seq"] / 1e6))
