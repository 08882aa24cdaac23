"""Queries for statements, in the two parts that the embedded store needs (see ``store.listing``)."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from bridge.domain.lrs.index_keys import EVERY
from bridge.store.database import Document
from bridge.store.ranges import between

EFFECTIVE: Final[Document] = {"$or": [{"voided_by": None}, {"lrs.voids": {"$exists": True}}]}
"""Not voided: a voiding statement cannot be voided itself (xAPI-Data §2.3.2)."""

END_OF_TIME: Final = 2**62
SHOWN: Final = dict.fromkeys(("raw", "lrs.at", "lrs.added", "lrs.reshape", "lrs.untimed", "lrs.attached"), 1)


@dataclass(frozen=True, slots=True)
class Search:
    """A query: statements with all of ``keys`` and ``roles``, their own or of one they refer to, and all of ``held``.

    ``since`` is exclusive, ``until`` inclusive; ``after`` is the last statement of the page before. The first key is
    looked up: it should be the one that the fewest statements have.
    """

    keys: tuple[bytes, ...] = (EVERY,)
    roles: tuple[bytes, ...] = ()
    held: tuple[bytes, ...] = ()
    since: int | None = None
    until: int | None = None
    ascending: bool = False
    after: tuple[int, str] | None = None

    def stages(self, limit: int) -> list[Document]:
        """Return the aggregation for up to ``limit`` statements."""
        first, *others = self.keys
        rest = [EFFECTIVE, *_each("keys", others), *_each("roles", self.roles), *_each("held", self.held)]
        return [
            {"$match": {"lrs.here": True, "lrs.keys": first, "lrs.at": between(*self._bounds())}},
            {"$match": {"$and": [*rest, *self._one_of_chain(), *self._beyond()]}},
            {"$sort": dict.fromkeys(("lrs.at", "_id"), 1 if self.ascending else -1)},
            {"$limit": limit},
            {"$project": SHOWN},
        ]

    def _bounds(self) -> tuple[int, int]:
        """Return the first time, and the first one beyond the last."""
        low = 0 if self.since is None else self.since + 1
        high = END_OF_TIME if self.until is None else self.until + 1
        if self.after is not None:
            low, high = (max(low, self.after[0]), high) if self.ascending else (low, min(high, self.after[0] + 1))
        return low, high

    def _one_of_chain(self) -> list[Document]:
        """One statement must match every filter: this one, or one that it refers to."""
        keys, roles = [key for key in self.keys if key != EVERY], list(self.roles)
        if len(keys) + len(roles) < 2:
            return []
        named: list[tuple[str, list[bytes]]] = [("keys", keys), ("roles", roles)]
        match: Document = {name: {"$all": sorted(wanted)} for name, wanted in named if wanted}
        return [{"$or": [{"lrs.chain": None}, {"lrs.chain": {"$elemMatch": match}}]}]

    def _beyond(self) -> list[Document]:
        if self.after is None:
            return []
        at, statement_id = self.after
        sign = "$gt" if self.ascending else "$lt"
        return [{"$or": [{"lrs.at": {sign: at}}, {"_id": {sign: statement_id}}]}]


def _each(name: str, keys: Iterable[bytes]) -> list[Document]:
    return [{f"lrs.{name}": key} for key in keys]
