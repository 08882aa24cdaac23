"""The mirror of the dead-letter queue: what lists and details are read from (docs/decisions/0005)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from pymongo import UpdateOne

from bridge.domain.operations.letters import (
    LARGEST_BODY,
    LetterBody,
    MirroredLetter,
    QueuedDeadLetter,
    WholeLetter,
    mirrored,
)
from bridge.domain.privacy.subjects import ALWAYS, DataSubject, TimeSpan
from bridge.store.database import Database, Query, bulk, insert_new, now, reaches_store
from bridge.store.listing import Listing, ListQuery, Position, Sort, page_of


@dataclass(frozen=True, slots=True)
class LetterSelection:
    """A selection of letters: all conditions that are given hold. Times are of the failure.

    ``about`` is the person whose statement or message it is, ``naming`` one who is named in it anywhere.
    """

    ids: Sequence[str] | None = None
    reason: str | None = None
    before: datetime | None = None
    after: datetime | None = None
    about: DataSubject | None = None
    naming: DataSubject | None = None

    def query(self) -> Query:
        """Return it as the store asks."""
        times = {"$lt": self.before, "$gt": self.after}
        failed_at = {name: value.isoformat() for name, value in times.items() if value is not None}
        conditions: Query = {
            "_id": None if self.ids is None else {"$in": list(self.ids)},
            "reason": self.reason,
            "failed_at": failed_at or None,
        }
        people = [whose(name, subject) for name, subject in (("owners", self.about), ("named", self.naming)) if subject]
        query = {name: value for name, value in conditions.items() if value is not None}
        return {**query, **({"$and": people} if people else {})}


def whose(name: str, subject: DataSubject) -> Query:
    """Return the query of letters with a person's tombstone in a field, of times at which the identifier was theirs."""
    always = [stone for stone, spans in subject.spans.items() if tuple(spans) == ALWAYS]
    clauses: list[Query] = [{name: {"$in": [subject.own_stone, *always]}}]
    for stone, spans in subject.spans.items():
        if stone not in always:
            clauses += [{name: stone, **_within(span)} for span in spans]
    return {"$or": clauses} if len(clauses) > 1 else clauses[0]


def _within(span: TimeSpan) -> Query:
    bounds = {"$gt": span.after, "$lte": span.until}
    failed_at = {operator: at.isoformat() for operator, at in bounds.items() if at is not None}
    return {"failed_at": failed_at} if failed_at else {}


@reaches_store
class DeadLetters:
    """The ``dead_letters`` and ``dead_letter_bodies`` collections, apart so that a list reads no bodies.

    ``copies`` says how often the very same letter lies in the queue.
    """

    def __init__(self, database: Database) -> None:
        self._letters = database.collection("dead_letters", MirroredLetter)
        self._bodies = database.collection("dead_letter_bodies", LetterBody)
        self._key = database.erasure_key

    async def put(self, letters: Sequence[QueuedDeadLetter]) -> None:
        """Add letters; those that are there stay as they are."""
        bodies = [LetterBody(_id=letter.id, body=letter.letter.body) for letter in letters]
        await insert_new(self._bodies, [stored for stored in bodies if len(stored["body"]) <= LARGEST_BODY])
        secret = await self._key.get()
        await insert_new(self._letters, [mirrored(letter, secret, now()) for letter in letters])

    async def set_copies(self, copies: Mapping[str, int]) -> None:
        """Correct how often each of these letters lies in the queue."""
        writes = [
            UpdateOne({"_id": key, "copies": {"$ne": count}}, {"$set": {"copies": count}})
            for key, count in copies.items()
        ]
        if writes:
            await bulk(self._letters, writes)

    async def list(
        self, selection: LetterSelection, sort: Sort, limit: int, after: Position | None
    ) -> Listing[MirroredLetter]:
        """Return a page of letters, without their bodies."""
        return await page_of(self._letters, ListQuery({}, selection.query(), sort, limit, after))

    async def get(self, letter_id: str) -> WholeLetter | None:
        """Return a letter with its ``body`` (None when it was too large to keep), or None."""
        letter = await self._letters.find_one({"_id": letter_id})
        if letter is None:
            return None
        stored = await self._bodies.find_one({"_id": letter_id})
        return {**letter, "body": stored["body"] if stored else None}

    async def copies(self, selection: LetterSelection, limit: int) -> dict[str, int]:
        """Return id → copies of the oldest letters that are chosen, at most ``limit`` of them."""
        letters = self._letters.find(selection.query(), {"copies": 1}).sort("order.failed_at.key", 1).limit(limit)
        return {row["_id"]: row["copies"] async for row in letters}

    async def count(self) -> int:
        """Return how many messages the mirror says are in the queue."""
        groups = self._letters.aggregate([{"$group": {"_id": None, "n": {"$sum": "$copies"}}}])
        return sum([group["n"] async for group in groups])

    async def by_reason(self) -> dict[str, int]:
        """Return reason → letters."""
        groups = self._letters.aggregate([{"$group": {"_id": "$reason", "n": {"$sum": "$copies"}}}])
        return {group["_id"]: group["n"] async for group in groups}

    async def oldest(self) -> datetime | None:
        """Return when the oldest letter failed, or None when there is none."""
        row = await self._letters.find_one({}, {"failed_at": 1}, sort=[("order.failed_at.key", 1)])
        return datetime.fromisoformat(row["failed_at"]) if row else None

    async def forget(self, letter_ids: Iterable[str]) -> None:
        """Remove letters that are no longer in the queue."""
        query = {"_id": {"$in": list(letter_ids)}}
        await self._letters.delete_many(query)
        await self._bodies.delete_many(query)

    async def forget_naming(self, subject: DataSubject) -> None:
        """Remove letters that name a person, in the queue or not."""
        query = LetterSelection(naming=subject).query()
        await self.forget([row["_id"] async for row in self._letters.find(query, {"_id": 1})])

    async def others(self, letter_ids: Iterable[str], mirrored_before: datetime) -> list[str]:
        """Return the ids of every letter but these that was there before that time."""
        query = {"_id": {"$nin": list(letter_ids)}, "mirrored_at": {"$lt": mirrored_before}}
        return [row["_id"] async for row in self._letters.find(query, {"_id": 1})]
