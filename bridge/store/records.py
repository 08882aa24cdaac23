"""Plan items and log entries as a member's portal reads and writes them: one class, since the logic is the same.

Every query is made by ``of(member_id)``, so that it starts with the member, whoever writes it. A live record that has
been taken in is ``listed``; every index of a list holds listed records only, so that the worker's drafts cost none of
them until they are (``services.intake``). By-id queries name ``_id`` first: the embedded store looks up by the first
field that it can.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from pymongo import UpdateOne

from bridge.domain.periods import Period
from bridge.domain.records import LAST
from bridge.store.database import Collection, Database, Document, Session, bulk, plainly, reaches_store
from bridge.store.listing import Listing, Wanted, number_of, order_index, rows_of

LISTED: Document = {"listed": True}


@reaches_store
class Records:
    """The ``plan_items`` or the ``log_entries`` collection."""

    def __init__(self, database: Database, name: str, sorts: Sequence[str], also: Sequence[str] = ()) -> None:
        self._records = database.collection(name)
        self._sorts = sorts
        self._also = also
        self._regex: bool | None = None

    async def prepare(self) -> None:
        """Create the indexes: one for each sort, for keywords, for each of ``also``, and for what has just arrived."""
        keyed = {f"by_{name}": order_index("member_id", "listed", name=name) for name in self._sorts}
        keyed |= {name: [("member_id", 1), ("listed", 1), (name, 1)] for name in ("tokens", *self._also)}
        for name, keys in keyed.items():
            await self._records.create_index(keys, name=name, partialFilterExpression=LISTED)
        # Of every record: where no other index fits, the embedded store reads by the member, and reads wrongly without.
        await self._records.create_index([("member_id", 1), ("arrived", 1)], name="arrived")

    def of(self, member_id: str, session: Session | None = None) -> MemberRecords:
        """Return the records of one member, read and written in ``session`` when one is given."""
        return MemberRecords(self, self._records, member_id, session)

    async def finds_by_regex(self) -> bool:
        """Say whether the store looks an anchored regex up in the index, as MongoDB does; asked once.

        The embedded store does so for a plain range only; to MongoDB, a range on a list is another question.
        """
        if self._regex is None:
            query = {"member_id": "", **LISTED, "tokens": {"$regex": "^a"}}
            plan = await plainly(self._records).find(query).explain()
            self._regex = "COLLSCAN" not in str(plan["queryPlanner"]["winningPlan"])
        return self._regex


@reaches_store
class MemberRecords:
    """One member's records in one collection."""

    def __init__(self, records: Records, collection: Collection, member_id: str, session: Session | None) -> None:
        self._owner = records
        self._records = collection
        self._member_id = member_id
        self._session = session

    def _one(self, record_id: str) -> Document:
        return {"_id": record_id, "member_id": self._member_id}

    async def get(self, record_id: str) -> Document | None:
        """Return a listed record, or None."""
        return await self._records.find_one({**self._one(record_id), **LISTED}, session=self._session)

    async def get_any(self, record_id: str) -> Document | None:
        """Return a record, deleted or not, or None."""
        return await self._records.find_one(self._one(record_id), session=self._session)

    async def some(self, record_ids: Iterable[str]) -> list[Document]:
        """Return those of these records that are there, deleted or not."""
        query = {"_id": {"$in": list(record_ids)}, "member_id": self._member_id}
        return [record async for record in self._records.find(query, session=self._session)]

    async def arrived(self) -> list[Document]:
        """Return what the worker wrote and nobody has taken in: id, day, deletion and whether it is in a list."""
        fields = {"date": 1, "deleted_at": 1, "listed": 1, "created_at": 1}
        found = self._records.find({"member_id": self._member_id, "arrived": True}, fields, session=self._session)
        return [record async for record in found]

    async def in_periods(self, period_ids: Iterable[str]) -> list[Document]:
        """Return the listed log entries of these periods."""
        query = {"member_id": self._member_id, **LISTED, "period_id": {"$in": list(period_ids)}}
        return [record async for record in self._records.find(query, {"tokens": 0}, session=self._session)]

    async def every(self) -> list[Document]:
        """Return every listed record, in the order they were made."""
        found = self._records.find({"member_id": self._member_id, **LISTED}, {"tokens": 0}, session=self._session)
        return [record async for record in found.sort([("created_at", 1), ("_id", 1)])]

    async def shown_anew(self, record_id: str | None = None) -> None:
        """Give a record, or every listed one, a new version: something changed that it shows and is not its own."""
        own = {"member_id": self._member_id, **LISTED} if record_id is None else self._one(record_id)
        await self._records.update_many(own, {"$inc": {"version": 1}}, session=self._session)

    async def add(self, records: Sequence[Document]) -> None:
        """Insert new records."""
        await self._records.insert_many(list(records), session=self._session)

    async def save(self, changes: Sequence[tuple[Document, Document]]) -> None:
        """Write what differs between each pair of before and after, in one bulk write."""
        updates = [UpdateOne(self._one(before["_id"]), _difference(before, after)) for before, after in changes]
        if updates:
            await bulk(self._records, updates, self._session)

    async def page(self, wanted: Wanted, terms: Sequence[str] = (), total: int | None = None) -> Listing:
        """Return a page of listed records; each of ``terms`` must begin a word of the record (R20).

        ``total`` saves counting where it is known.
        """
        narrowed = await self._narrowed(wanted, terms)
        items, after = await rows_of(self._records, narrowed)
        if total is None:
            total = await number_of(self._records, narrowed.seek, narrowed.rest)
        return Listing(items, after, total)

    async def number(self, seek: Document, rest: Document | None = None) -> int:
        """Return how many listed records there are; ``seek`` names fields of one index."""
        return await number_of(self._records, {"member_id": self._member_id, **LISTED, **seek}, rest or {})

    async def _narrowed(self, wanted: Wanted, terms: Sequence[str]) -> Wanted:
        own: Document = {"member_id": self._member_id, **LISTED}
        if not terms:
            return replace(wanted, seek={**own, **wanted.seek})
        longest = max(terms, key=len)
        by_regex = await self._owner.finds_by_regex()
        begins = {"$regex": f"^{longest}"} if by_regex else {"$gte": longest, "$lt": longest + LAST}
        every = [{"tokens": {"$regex": f"^{term}"}} for term in terms]
        rest = [*every, *(part for part in (wanted.seek, wanted.rest) if part)]
        return replace(wanted, seek={**own, "tokens": begins}, rest={"$and": rest}, stops=(), sorts=True)


def _difference(before: Mapping[str, Any], after: Mapping[str, Any]) -> Document:
    """Return the update that makes one of the other; every field that differs is written whole."""
    new = {name: value for name, value in after.items() if name not in before or before[name] != value}
    gone = dict.fromkeys(before.keys() - after.keys(), "")
    return {**({"$set": new} if new else {}), **({"$unset": gone} if gone else {})}


def touching(period: Period) -> Document:
    """Return the query of plan items whose days touch a period (R1)."""
    return {"span.first": {"$lte": period.end.isoformat()}, "span.last": {"$gte": period.start.isoformat()}}
