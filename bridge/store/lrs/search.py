"""The aggregation for a statement query, in the two parts that the embedded store needs (see ``store.listing``)."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from bridge.domain.lrs.index_keys import EVERY_STATEMENT, StatementQuery
from bridge.store.database import Query, Stage
from bridge.store.listing import between, beyond

NOT_VOIDED: Final[Query] = {"$or": [{"voided_by": None}, {"lrs.voids": {"$exists": True}}]}
"""A voiding statement cannot be voided itself (xAPI-Data §2.3.2)."""

SHOWN: Final = dict.fromkeys(("raw", "lrs.at", "lrs.added", "lrs.reshape", "lrs.untimed", "lrs.attached"), 1)


def stages(query: StatementQuery, limit: int) -> list[Stage]:
    """Return the aggregation for up to ``limit`` statements."""
    first, *other_keys = query.keys
    rest = [NOT_VOIDED, *_each("keys", other_keys), *_each("roles", query.roles), *_each("held", query.held)]
    order = [(name, 1 if query.ascending else -1) for name in ("lrs.at", "_id")]
    if query.after is not None:
        rest.append(beyond(order, query.after))
    return [
        {"$match": {"lrs.here": True, "lrs.keys": first, "lrs.at": between(*query.bounds())}},
        {"$match": {"$and": [*rest, *_in_chain(query)]}},
        {"$sort": dict(order)},
        {"$limit": limit},
        {"$project": SHOWN},
    ]


def _each(name: str, keys: Iterable[bytes]) -> list[Query]:
    return [{f"lrs.{name}": key} for key in keys]


def _in_chain(query: StatementQuery) -> list[Query]:
    """One statement must match every filter: this one, or one that it refers to."""
    keys = [key for key in query.keys if key != EVERY_STATEMENT]
    if len(keys) + len(query.roles) < 2:
        return []
    filters = (("keys", keys), ("roles", query.roles))
    match: Query = {name: {"$all": sorted(values)} for name, values in filters if values}
    return [{"$or": [{"lrs.chain": None}, {"lrs.chain": {"$elemMatch": match}}]}]
