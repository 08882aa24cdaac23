"""Positions of pulls from other LRSs, so that each goes on where it was stopped."""

from __future__ import annotations

import hashlib
from dataclasses import asdict, dataclass

from bridge.domain.statements.ledger import PullPosition
from bridge.store.database import Database, reaches_store


@dataclass(frozen=True, slots=True)
class Cursor:
    """The position of a pull of one verb.

    ``since`` is the stored time (ISO 8601) up to which everything has been published, ``more`` the page to read next
    (None: none is left).
    """

    since: str | None = None
    more: str | None = None


@reaches_store
class Pulls:
    """The ``pulls`` collection: one document per LRS and verb."""

    def __init__(self, database: Database) -> None:
        self._pulls = database.collection("pulls", PullPosition)

    async def get(self, endpoint: str, verb: str) -> Cursor:
        """Return where the pull stands; at the beginning when there was none."""
        row = await self._pulls.find_one({"_id": _key(endpoint, verb)})
        return Cursor(row["since"], row["more"]) if row else Cursor()

    async def save(self, endpoint: str, verb: str, cursor: Cursor) -> None:
        """Note where the pull stands."""
        facts = {"endpoint": endpoint, "verb": verb, **asdict(cursor)}
        await self._pulls.update_one({"_id": _key(endpoint, verb)}, {"$set": facts}, upsert=True)


def _key(endpoint: str, verb: str) -> str:
    return hashlib.sha256(f"{endpoint}\n{verb}".encode()).hexdigest()
