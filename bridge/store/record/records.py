"""Plan items and log entries as a member's portal reads and writes them: one class, since the logic is the same.

Every query is made by ``of(member_id)``, so that it starts with the member, whoever writes it. A live record is
``listed``. By-id queries name ``_id`` first: the embedded store looks up by the first field that it can.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Generic, TypeVar

from bridge.domain.list_keys import query_terms
from bridge.domain.members.members import MembershipYear
from bridge.domain.record.comments import StoredComment
from bridge.domain.record.records import RecordCriteria, StoredRecord
from bridge.store.database import Collection, Database, Document, Query, Session, reaches_store, save
from bridge.store.listing import Listing, ListQuery, Position, Sort, number_of, page_of, rows_of

LISTED: Query = {"listed": True}

R = TypeVar("R", bound=StoredRecord)


@reaches_store
class Records(Generic[R]):
    """The ``plan_items`` or the ``log_entries`` collection."""

    def __init__(self, database: Database, name: str, of: type[R]) -> None:
        self._records = database.collection(name, of)

    def of(self, member_id: str, session: Session | None = None) -> MemberRecords[R]:
        """Return the records of one member, read and written in ``session`` when one is given."""
        return MemberRecords(self._records, member_id, session)


@reaches_store
class MemberRecords(Generic[R]):
    """A member's records in one collection."""

    def __init__(self, collection: Collection[R], member_id: str, session: Session | None) -> None:
        self._records = collection
        self._member_id = member_id
        self._session = session

    def _one(self, record_id: str) -> Query:
        return {"_id": record_id, "member_id": self._member_id}

    async def get(self, record_id: str) -> R | None:
        """Return a listed record, or None."""
        return await self._records.find_one({**self._one(record_id), **LISTED}, session=self._session)

    async def get_any(self, record_id: str) -> R | None:
        """Return a record, deleted or not, or None."""
        return await self._records.find_one(self._one(record_id), session=self._session)

    async def some(self, record_ids: Iterable[str]) -> list[R]:
        """Return those of these records that are there, deleted or not."""
        query = {"_id": {"$in": list(record_ids)}, "member_id": self._member_id}
        return [record async for record in self._records.find(query, session=self._session)]

    async def in_order(self, beyond: str, limit: int) -> list[R]:
        """Return records in the order of their ids, deleted ones too, from the one after ``beyond``; without texts."""
        query = {"member_id": self._member_id, "_id": {"$gt": beyond}}
        fields = {"member_id": 1, "date": 1, "period_id": 1, "frozen": 1, "version": 1}
        records = self._records.find(query, fields, session=self._session)
        return [record async for record in records.sort("_id", 1).limit(limit)]

    async def raise_versions(self, record_id: str | None = None) -> None:
        """Give a record, or every listed one, a new version: something changed that it shows and is not its own."""
        query = {"member_id": self._member_id, **LISTED} if record_id is None else self._one(record_id)
        await self._records.update_many(query, {"$inc": {"version": 1}}, session=self._session)

    async def add(self, records: Sequence[R]) -> None:
        """Insert new records."""
        await self._records.insert_many(list(records), session=self._session)

    async def save(self, changes: Sequence[tuple[R, R]]) -> None:
        """Write what differs between each pair of before and after, in one bulk write."""
        await save(self._records, changes, self._session)

    async def page(
        self,
        criteria: RecordCriteria,
        sort: Sort,
        limit: int,
        after: Position | None = None,
        *,
        q: str = "",
        fields: Sequence[str] = (),
        counts: bool = True,
    ) -> Listing[R]:
        """Return a page of listed records; each word of ``q`` must begin one of the record (R20).

        ``fields`` are those to read, all when empty. Without ``counts`` the total is left at 0.
        """
        terms = query_terms(q)
        if q and not terms:
            return Listing([], None, 0)
        seek, rest = _query(criteria)
        query = ListQuery(seek, rest, sort, limit, after, sorts=bool(seek), fields=fields)
        narrowed_query = self._narrowed(query, terms)
        if not counts:
            return Listing(*await rows_of(self._records, narrowed_query), 0)
        return await page_of(self._records, narrowed_query)

    async def groups(
        self, by: Sequence[str], total: str, period_ids: Iterable[str | None] | None = None
    ) -> list[Document]:
        """Return how many listed records have each combination of the fields ``by``, and the sum of ``total``.

        A row is the fields, ``n`` and ``total``. It is read from the index of what is counted alone.
        """
        periods = {} if period_ids is None else {"period_id": {"$in": list(period_ids)}}
        match: Query = {"member_id": self._member_id, **LISTED, **periods}
        key = {name: {"$ifNull": [f"${name}", None]} for name in by}
        group = {"_id": key, "n": {"$sum": 1}, "total": {"$sum": {"$ifNull": [f"${total}", 0]}}}
        rows = self._records.aggregate([{"$match": match}, {"$group": group}])
        return [{**row["_id"], "n": row["n"], "total": row["total"]} async for row in rows]

    async def number(self, criteria: RecordCriteria) -> int:
        """Return how many listed records there are."""
        seek, rest = _query(criteria)
        return await number_of(self._records, {"member_id": self._member_id, **LISTED, **seek}, rest)

    def _narrowed(self, query: ListQuery, terms: Sequence[str]) -> ListQuery:
        listed_query: Query = {"member_id": self._member_id, **LISTED}
        if not terms:
            return replace(query, seek={**listed_query, **query.seek})
        begins = {"$regex": f"^{max(terms, key=len)}"}
        term_filters = [{"tokens": {"$regex": f"^{term}"}} for term in terms]
        rest = [*term_filters, *(part for part in (query.seek, query.rest) if part)]
        return replace(query, seek={**listed_query, "tokens": begins}, rest={"$and": rest}, sorts=True)


def _query(criteria: RecordCriteria) -> tuple[Query, Query]:
    """Return the two parts of a query (``store.listing``): what an index is read by, and the rest."""
    seek = {} if criteria.period_ids is None else {"period_id": {"$in": list(criteria.period_ids)}}
    clauses: list[Query] = [{name: value} for name, value in criteria.equal]
    clauses += [{name: {"$ne": value}} for name, value in criteria.unequal]
    if criteria.days is not None:
        first, last = criteria.days
        clauses.append({"date": {"$gte": first, "$lte": last}})
    if year := criteria.touching:
        clauses.append({"span.first": {"$lte": year.end.isoformat()}, "span.last": {"$gte": year.start.isoformat()}})
    return seek, {"$and": clauses} if clauses else {}


@reaches_store
class Comments:
    """The ``comments`` collection; ``day`` decides the period, so that each comment has one in any calendar (R82)."""

    def __init__(self, database: Database) -> None:
        self._comments = database.collection("comments", StoredComment)

    async def add(self, comment: StoredComment, session: Session) -> None:
        """Add one comment."""
        await self._comments.insert_one(comment, session=session)

    async def list(
        self, member_id: str, period: MembershipYear, sort: Sort, limit: int, after: Position | None
    ) -> Listing[StoredComment]:
        """Return a page of a member's comments on a period."""
        days = {"day": {"$gte": period.start.isoformat(), "$lte": period.end.isoformat()}}
        return await page_of(self._comments, ListQuery({"member_id": member_id}, days, sort, limit, after))
