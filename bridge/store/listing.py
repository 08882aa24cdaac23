"""Keyset pages over a collection: they neither repeat nor skip while others write (invariant 9)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from bridge.store.database import Collection, Document

Sort = list[tuple[str, bool]]
"""Sort names, each with whether it descends; the names are those of the ``order`` sub-document."""


@dataclass(frozen=True, slots=True)
class Listing:
    """A page: the documents, the position after the last one (None at the end), and the number over all pages."""

    items: list[Document]
    next: list[Any] | None
    total: int


async def page_of(collection: Collection, query: Document, sort: Sort, limit: int, after: list[Any] | None) -> Listing:
    """Return up to ``limit`` documents after a position; empty values come last, ties break by id."""
    keys = _keys(sort)
    total = await collection.count_documents(query)
    wanted = query if after is None else {"$and": [query, _beyond(keys, after)]}
    found = [document async for document in collection.find(wanted).sort(keys).limit(limit + 1)]
    items = found[:limit]
    more = len(found) > limit
    return Listing(items, [_value(items[-1], name) for name, _ in keys] if more else None, total)


def _keys(sort: Sort) -> list[tuple[str, int]]:
    keys: list[tuple[str, int]] = []
    for name, descending in sort:
        keys += [(f"order.{name}.empty", 1), (f"order.{name}.key", -1 if descending else 1)]
    return [*keys, ("_id", 1)]


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
