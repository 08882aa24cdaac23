"""Keyset pages over a collection: they neither repeat nor skip while others write (invariant 9).

A query has two parts. ``seek`` is equalities on the first fields of an index and at most one range on the next: that is
what the embedded store can look up; ``rest`` is everything else. MongoDB reads both as one.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

from bridge.domain.record.records import LAST
from bridge.store.database import Collection, Query, Stage

Sort = list[tuple[str, bool]]
"""Sort names, each with whether it descends; the names are those of the ``order`` sub-document."""


Position = list[Any]
"""A place in a list: the sort keys of the document before it, its id the last."""

T = TypeVar("T", bound=Mapping[str, Any])


@dataclass(frozen=True, slots=True)
class Listing(Generic[T]):
    """A page: the documents, the position after the last one (None at the end), and the number over all pages."""

    items: list[T]
    next: Position | None
    total: int


@dataclass(frozen=True, slots=True)
class ListQuery:
    """A query of documents in an order: ``after`` is a position that a page gave as ``next``.

    ``sorts`` says that what ``seek`` finds is few enough to be sorted then; else an index is read in its order.
    ``fields`` are those to read, all when empty.
    """

    seek: Query
    rest: Query
    sort: Sort
    limit: int
    after: Position | None = None
    sorts: bool = False
    fields: Sequence[str] = field(default=())


def up_to(text: str, first: str = "") -> Query:
    """Return the range of texts from ``first`` to ``text``, both included.

    The embedded store leaves out what equals the end of a range (``$lte``); what follows the text is given instead.
    """
    return {"$gte": first, "$lt": text + LAST}


def between(first: int, beyond: int) -> Query:
    """Return the range of whole numbers from ``first`` to before ``beyond``.

    The embedded store leaves out what equals the start of a range on a descending index (``$gte``); the number before
    it is given instead.
    """
    return {"$gt": first - 1, "$lt": beyond}


async def rows_of(collection: Collection[T], query: ListQuery) -> tuple[list[T], Position | None]:
    """Return up to ``limit`` documents after a position, and the position to go on from; empty values come last.

    Ties break by id, in the direction of a lone sort so that one index serves both directions.
    """
    lone = len(query.sort) == 1 and not query.sorts
    rows = await (_by_one(collection, query) if lone else _by_many(collection, query))
    items = rows[: query.limit]
    more = len(rows) > query.limit
    return items, [_value(items[-1], name) for name, _ in _keys(query.sort)] if more else None


async def _by_one(collection: Collection[T], query: ListQuery) -> list[T]:
    """Read rows with a value in index order, then those without: so neither direction needs sorting."""
    filled_rows = [] if query.after is not None and query.after[0] else await _filled(collection, query)
    return (
        filled_rows
        if len(filled_rows) > query.limit
        else filled_rows + await _unfilled(collection, query, len(filled_rows))
    )


async def _filled(collection: Collection[T], query: ListQuery) -> list[T]:
    """Read rows that have a value of the sort name, beyond a position."""
    ((name, descending),) = query.sort
    key, way, further = f"order.{name}.key", -1 if descending else 1, "$lt" if descending else "$gt"
    rest = [query.rest]
    if query.after is not None:
        _, last, last_id = query.after
        rest.append({"$or": [{key: {further: last}}, {key: last, "_id": {further: last_id}}]})
    seek: Query = {**query.seek, f"order.{name}.empty": False, key: _from(query.after, descending=descending)}
    return await _read(collection, query, seek, rest, [(key, way), ("_id", way)])


def _from(after: Position | None, *, descending: bool) -> Query:
    """Return the range of keys from a position on, the position's own key among them."""
    if after is None:
        return {"$gte": ""}
    return up_to(after[1]) if descending else {"$gte": after[1]}


async def _unfilled(collection: Collection[T], query: ListQuery, have: int) -> list[T]:
    """Read rows that have no value of the sort name: they come last in both directions."""
    ((name, descending),) = query.sort
    rest = [query.rest]
    if query.after is not None and query.after[0]:
        rest.append({"_id": {"$lt" if descending else "$gt": query.after[2]}})
    # Every key is ""; the range has the embedded store take the index, which it reads wrongly by equalities alone.
    seek = {**query.seek, f"order.{name}.empty": True, f"order.{name}.key": {"$gte": ""}}
    return await _read(collection, query, seek, rest, [("_id", -1 if descending else 1)], have)


async def _by_many(collection: Collection[T], query: ListQuery) -> list[T]:
    keys = _keys(query.sort)
    rest = [query.rest, *([] if query.after is None else [beyond(keys, query.after)])]
    return await _read(collection, query, query.seek, rest, keys)


async def _read(
    collection: Collection[T],
    query: ListQuery,
    seek: Query,
    rest: list[Query],
    keys: list[tuple[str, int]],
    have: int = 0,
) -> list[T]:
    narrowing_stages = [{"$match": part} for part in rest if part]
    projection = (
        {"$project": dict.fromkeys(("order", *query.fields), 1)} if query.fields else {"$project": {"tokens": 0}}
    )
    stages = [
        {"$match": seek},
        *narrowing_stages,
        {"$sort": dict(keys)},
        {"$limit": query.limit + 1 - have},
        projection,
    ]
    return [document async for document in collection.aggregate(stages)]


async def number_of(collection: Collection[Any], seek: Query, rest: Query) -> int:
    """Return how many documents there are."""
    stages: list[Stage] = [{"$match": seek}, *([{"$match": rest}] if rest else []), {"$count": "n"}]
    return sum([row["n"] async for row in collection.aggregate(stages)])


async def page_of(collection: Collection[T], query: ListQuery) -> Listing[T]:
    """Return a page with the number over all pages."""
    items, after = await rows_of(collection, query)
    return Listing(items, after, await number_of(collection, query.seek, query.rest))


def _keys(sort: Sort) -> list[tuple[str, int]]:
    keys: list[tuple[str, int]] = []
    for name, descending in sort:
        keys += [(f"order.{name}.empty", 1), (f"order.{name}.key", -1 if descending else 1)]
    lone = len(sort) == 1 and sort[0][1]
    return [*keys, ("_id", -1 if lone else 1)]


def beyond(keys: Sequence[tuple[str, int]], after: Sequence[Any]) -> Query:
    """Return the query of what sorts after a position: beyond it in one key, and equal in those before."""
    steps: list[Query] = []
    for number, (name, direction) in enumerate(keys):
        equal = {key: value for (key, _), value in zip(keys[:number], after, strict=False)}
        steps.append({**equal, name: {"$gt" if direction > 0 else "$lt": after[number]}})
    return {"$or": steps}


def _value(document: Mapping[str, Any], path: str) -> Any:
    value: Any = document
    for part in path.split("."):
        value = value[part]
    return value
