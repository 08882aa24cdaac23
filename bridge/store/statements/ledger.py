"""What a batch of statements reads and writes: the ledger (invariant 1), what waits, entries of the log, events."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final, TypeVar

from bridge.domain.events import OutboxEvent
from bridge.domain.record.entries import StoredEntry
from bridge.domain.statements.batch import Changes, Identified
from bridge.domain.statements.dispositions import Disposition, Reason
from bridge.domain.statements.ledger import HeldStatement, LedgerRow, ParkedStatement
from bridge.store.database import Collection, Database, Document, Query, Session, reaches_store, save
from bridge.store.listing import Listing, Position, beyond

GONE: Final[Document] = {
    "$set": {"raw": b"", "digest": b"", "disposition": Disposition.IGNORED.value, "reason": Reason.ERASED.value},
    "$unset": dict.fromkeys(("member_id", "entry_id", "lrs", "about", "redacted", "actor", "via"), ""),
}
"""The change that makes of a row what ``ledger.erased`` does, for rows that nobody has read."""

ROW_DECIDED_BY: Final = (
    *("digest", "redacted", "received_at", "disposition", "reason", "member_id", "entry_id", "voided_by"),
    *("about", "lrs.by"),
)
"""What a batch is decided by; texts may be long, and what the LRS finds a statement by longer."""

ENTRY_DECIDED_BY: Final = (
    *("member_id", "merge_keys", "frozen", "listed", "deleted_at", "withdrawn_at", "touched_at", "updated_at"),
    *("version", "provenance"),
)
"""What a batch is decided by, and may change, of an entry that is there."""

OLDEST_FIRST: Final = [("at", 1), ("_id", 1)]

D = TypeVar("D", bound=Identified)


async def _write(collection: Collection[D], changes: Changes[D], session: Session) -> None:
    """Change documents first, as one may give up a unique key that a new one has; then insert, and remove."""
    await save(collection, changes.changed, session)
    if changes.new:
        await collection.insert_many(changes.new, session=session)
    if changes.removed:
        await collection.delete_many({"_id": {"$in": sorted(changes.removed)}}, session=session)


@reaches_store
class Statements:
    """The ``statements`` collection, keyed by statement id."""

    def __init__(self, database: Database) -> None:
        self._statements = database.collection("statements", LedgerRow)

    async def rows(self, statement_ids: Iterable[str], session: Session, *, raw: bool = False) -> list[LedgerRow]:
        """Return what a batch is decided by of the rows that are there, with the texts when ``raw`` is given."""
        fields = dict.fromkeys((*ROW_DECIDED_BY, *(("raw",) if raw else ())), 1)
        rows = self._statements.find({"_id": {"$in": sorted(set(statement_ids))}}, fields, session=session)
        return [row async for row in rows]

    async def write(self, rows: Changes[LedgerRow], session: Session) -> None:
        """Write new rows, and what became of those that were there."""
        await _write(self._statements, rows, session)


@reaches_store
class Waiting:
    """The ``parked`` and ``held`` collections; the statement itself stays in the ledger."""

    def __init__(self, database: Database) -> None:
        self._parked = database.collection("parked", ParkedStatement)
        self._held = database.collection("held", HeldStatement)

    async def write(self, parked: Changes[ParkedStatement], held: Changes[HeldStatement], session: Session) -> None:
        """Write what waits from now on, and remove what does no more."""
        await _write(self._parked, parked, session)
        await _write(self._held, held, session)

    async def parked_for(
        self, actor_keys: Iterable[str], limit: int, session: Session | None = None
    ) -> list[ParkedStatement]:
        """Return statements parked for any of these actors, oldest first."""
        rows = self._parked.find({"actor_key": {"$in": list(actor_keys)}}, session=session)
        return [row async for row in rows.sort("at", 1).limit(limit)]

    async def held_for(
        self, member_id: str, frozen: Iterable[str], limit: int, session: Session | None = None
    ) -> list[HeldStatement]:
        """Return a member's held statements whose period is not among the ``frozen`` ones, oldest first."""
        query = {"member_id": member_id, "period_id": {"$nin": list(frozen)}}
        return [row async for row in self._held.find(query, session=session).sort("at", 1).limit(limit)]

    async def count_held(self, member_id: str) -> dict[str, int]:
        """Return period id → number of a member's completions that wait for its freeze to end."""
        completions = {"$sum": {"$cond": [{"$ifNull": ["$target", False]}, 0, 1]}}  # a null query may defeat the index
        pipeline = [{"$match": {"member_id": member_id}}, {"$group": {"_id": "$period_id", "n": completions}}]
        return {group["_id"]: group["n"] async for group in self._held.aggregate(pipeline) if group["n"]}

    async def parked(self, limit: int, after: Position | None) -> Listing[ParkedStatement]:
        """Return a page of the parked for operations, those that have waited longest first.

        ``after`` is ``[at, id]``; ``next`` has ``at`` in ISO 8601. No row says whose name its statement carries.
        """
        query = {} if after is None else beyond(OLDEST_FIRST, after)
        rows = [row async for row in self._parked.find(query).sort(OLDEST_FIRST).limit(limit + 1)]
        items = rows[:limit]
        next_place = [items[-1]["at"].isoformat(), items[-1]["_id"]] if len(rows) > limit else None
        return Listing(items, next_place, await self.count_parked())

    async def parked_since(self) -> datetime | None:
        """Return since when the oldest is parked, or None when none is."""
        row = await self._parked.find_one({}, sort=[("at", 1)])
        return row["at"] if row else None

    async def count_parked(self) -> int:
        """Return how many statements wait for an actor to become known."""
        return await self._parked.count_documents({})

    async def sizes(self) -> tuple[int, int]:
        """Return how many are parked and how many held, by the collections' own metadata: it reads none of them."""
        return await self._parked.estimated_document_count(), await self._held.estimated_document_count()


@reaches_store
class Entries:
    """The ``log_entries`` collection; every member's query starts with ``member_id``."""

    def __init__(self, database: Database) -> None:
        self._entries = database.collection("log_entries", StoredEntry)

    async def some(self, entry_ids: Iterable[str], session: Session) -> list[StoredEntry]:
        """Return those of the entries that are there, deleted ones too."""
        return await self._found({"_id": {"$in": sorted(set(entry_ids))}}, session)

    async def find_claimed(self, merge_keys: Mapping[str, Iterable[str]], session: Session) -> list[StoredEntry]:
        """Return the entries that hold any of these merge keys (member id → keys), deleted ones too.

        A read for each member: the embedded store reads every entry there is for all at once.
        """
        entries: list[StoredEntry] = []
        for member_id, keys in merge_keys.items():
            entries += await self._found({"member_id": member_id, "merge_keys": {"$in": sorted(set(keys))}}, session)
        return entries

    async def write(self, entries: Changes[StoredEntry], session: Session) -> None:
        """Write new drafts, and what statements change of other entries."""
        await _write(self._entries, entries, session)

    async def _found(self, query: Query, session: Session) -> list[StoredEntry]:
        return [entry async for entry in self._entries.find(query, dict.fromkeys(ENTRY_DECIDED_BY, 1), session=session)]


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
