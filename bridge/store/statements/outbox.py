"""Events waiting to be published: written in the transaction of the change they tell of, removed once delivered."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from bridge.domain.events import OutboxEvent
from bridge.store.database import Database, Session, reaches_store


@dataclass(frozen=True, slots=True)
class Lag:
    """The number of events that wait to be published, and the age of the oldest in seconds (0 when none waits)."""

    count: int
    age: float


@reaches_store
class Outbox:
    """The ``outbox`` collection: a row an event (``domain.events``).

    A member's events are ordered by ``act`` and ``n``, which the member's own document counts: of two, the one that was
    written first is published first, whatever the clocks of the machines say.
    """

    def __init__(self, database: Database) -> None:
        self._outbox = database.collection("outbox", OutboxEvent)

    async def prepare(self) -> None:
        """Create the indexes."""
        await self._outbox.create_index([("member_id", 1), ("act", 1), ("n", 1)], name="in_order")
        await self._outbox.create_index("at", name="age")

    async def add(self, events: Sequence[OutboxEvent], session: Session) -> None:
        """Add events."""
        if events:
            await self._outbox.insert_many(list(events), session=session)

    async def pending(self, limit: int, beyond: str = "") -> list[OutboxEvent]:
        """Return the next events of the members after ``beyond``, each member's in order."""
        events = self._outbox.find({"member_id": {"$gt": beyond}})
        return [row async for row in events.sort([("member_id", 1), ("act", 1), ("n", 1)]).limit(limit)]

    async def delivered(self, rows: Iterable[OutboxEvent]) -> None:
        """Remove events that the broker has."""
        await self._outbox.delete_many({"_id": {"$in": [row["_id"] for row in rows]}})

    async def lag(self) -> Lag:
        """Return how far publishing is behind."""
        oldest = await self._outbox.find_one({}, {"at": 1}, sort=[("at", 1)])
        if oldest is None:
            return Lag(0, 0.0)
        count = await self._outbox.count_documents({})
        return Lag(count, max(0.0, (datetime.now(UTC) - oldest["at"]).total_seconds()))
