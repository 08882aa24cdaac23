"""Hashed tombstones of erased members, so that a replay or a restored backup does not bring them back (invariant 8)."""

from __future__ import annotations

from collections.abc import Iterable

from bridge.store.database import Database, reaches_store


@reaches_store
class Erasures:
    """The ``erasures`` collection: ``keys`` are SHA-256 hashes of a member's identifiers."""

    def __init__(self, database: Database) -> None:
        self._erasures = database.collection("erasures")

    async def prepare(self) -> None:
        """Create the indexes."""
        await self._erasures.create_index("keys", name="keys")

    async def among(self, hashes: Iterable[str]) -> set[str]:
        """Return those of the hashes that belong to an erased member."""
        wanted = set(hashes)
        if not wanted:
            return set()
        found = self._erasures.find({"keys": {"$in": list(wanted)}}, {"keys": 1})
        return {key async for erasure in found for key in erasure["keys"] if key in wanted}
