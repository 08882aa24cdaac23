"""Keyset pages over a collection: they neither repeat nor skip while others write (invariant 9).

A query has two parts. ``seek`` is equalities on the first fields of an index and at most one range on the next: that is
what the embedded store can look up; ``rest`` is everything else. MongoDB reads both as one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from bridge.store.database import Collection, Document
from bridge.store.ranges import up_to

Sort = list[tuple[str, bool]]
"""Sort names, each with whether it descends; the names are those of the ``order`` sub-document."""


@dataclass(frozen=True, slots=True)
class Listing:
    """A page: the documents, the position after the last one (None at the end), and the number over all pages."""

    items: list[Document]
    next: list[Any] | None
    total: int


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which documents, in which order: ``after`` is a position that a page gave as ``next``.

    ``sorts`` says that what ``seek`` finds is few enough to be sorted then; else an index is read in its order.
    ``fields`` are those to read, all when empty.
    """

    seek: Document
    rest: Document
    sort: Sort
    limit: int
    after: list[Any] | None = None
    sorts: bool = False
    fields: Sequence[str] = field(default=())


def order_index(*first: str, name: str) -> list[tuple[str, int]]:
    """Return the keys of the index that serves a sort in both directions."""
    return [*((key, 1) for key in first), (f"order.{name}.empty", 1), (f"order.{name}.key", 1), ("_id", 1)]


async def rows_of(collection: Collection, wanted: Wanted) -> tuple[list[Document], list[Any] | None]:
    """Return up to ``limit`` documents after a position, and the position to go on from; empty values come last.

    Ties break by id, in the direction of a lone sort so that one index serves both directions.
    """
    lone = len(wanted.sort) == 1 and not wanted.sorts
    found = await (_by_one(collection, wanted) if lone else _by_many(collection, wanted))
    items = found[: wanted.limit]
    more = len(found) > wanted.limit
    return items, [_value(items[-1], name) for name, _ in _keys(wanted.sort)] if more else None


async def _by_one(collection: Collection, wanted: Wanted) -> list[Document]:
    """Read rows with a value in index order, then those without: so neither direction needs sorting."""
    filled = [] if wanted.after is not None and wanted.after[0] else await _filled(collection, wanted)
    return filled if len(filled) > wanted.limit else filled + await _unfilled(collection, wanted, len(filled))


async def _filled(collection: Collection, wanted: Wanted) -> list[Document]:
    """Read rows that have a value of the sort name, beyond a position."""
    ((name, descending),) = wanted.sort
    key, way, beyond = f"order.{name}.key", -1 if descending else 1, "$lt" if descending else "$gt"
    rest = [wanted.rest]
    if wanted.after is not None:
        _, last, last_id = wanted.after
        rest.append({"$or": [{key: {beyond: last}}, {key: last, "_id": {beyond: last_id}}]})
    seek: Document = {**wanted.seek, f"order.{name}.empty": False, key: _from(wanted.after, descending=descending)}
    return await _read(collection, wanted, seek, rest, [(key, way), ("_id", way)])


def _from(after: list[Any] | None, *, descending: bool) -> Document:
    """Return the range of keys from a position on, the position's own key among them."""
    if after is None:
        return {"$gte": ""}
    return up_to(after[1]) if descending else {"$gte": after[1]}


async def _unfilled(collection: Collection, wanted: Wanted, have: int) -> list[Document]:
    """Read rows that have no value of the sort name: they come last in both directions."""
    ((name, descending),) = wanted.sort
    rest = [wanted.rest]
    if wanted.after is not None and wanted.after[0]:
        rest.append({"_id": {"$lt" if descending else "$gt": wanted.after[2]}})
    # Every key is ""; the range has the embedded store take the index, which it reads wrongly by equalities alone.
    seek = {**wanted.seek, f"order.{name}.empty": True, f"order.{name}.key": {"$gte": ""}}
    return await _read(collection, wanted, seek, rest, [("_id", -1 if descending else 1)], have)


async def _by_many(collection: Collection, wanted: Wanted) -> list[Document]:
    keys = _keys(wanted.sort)
    rest = [wanted.rest, *([] if wanted.after is None else [_beyond(keys, wanted.after)])]
    return await _read(collection, wanted, wanted.seek, rest, keys)


async def _read(
    collection: Collection,
    wanted: Wanted,
    seek: Document,
    rest: list[Document],
    keys: list[tuple[str, int]],
    have: int = 0,
) -> list[Document]:
    narrowed = [{"$match": part} for part in rest if part]
    shown = {"$project": dict.fromkeys(("order", *wanted.fields), 1)} if wanted.fields else {"$project": {"tokens": 0}}
    stages = [{"$match": seek}, *narrowed, {"$sort": dict(keys)}, {"$limit": wanted.limit + 1 - have}, shown]
    return [document async for document in collection.aggregate(stages)]


async def number_of(collection: Collection, seek: Document, rest: Document, index: str | None = None) -> int:
    """Return how many documents there are, read by an ``index`` when one is named."""
    stages: list[Document] = [{"$match": seek}, *([{"$match": rest}] if rest else []), {"$count": "n"}]
    hint = {} if index is None else {"hint": index}
    return sum([row["n"] async for row in collection.aggregate(stages, **hint)])


def _keys(sort: Sort) -> list[tuple[str, int]]:
    keys: list[tuple[str, int]] = []
    for name, descending in sort:
        keys += [(f"order.{name}.empty", 1), (f"order.{name}.key", -1 if descending else 1)]
    lone = len(sort) == 1 and sort[0][1]
    return [*keys, ("_id", -1 if lone else 1)]


def _beyond(keys: list[tuple[str, int]], after: list[Any]) -> Document:
    """Everything that sorts after a position: beyond it in one key, and equal in those before."""
    steps: list[Document] = []
    for number, (name, direction) in enumerate(keys):
        equal = {key: value for (key, _), value in zip(keys[:number], after, strict=False)}
        steps.append({**equal, name: {"$gt" if direction > 0 else "$lt": after[number]}})
    return {"$or": steps}


def _value(document: Document, path: str) -> Any:
    value: Any = document
    for part in path.split("."):
        value = value[part]
    return value
