"""Members who left before the feed had told of them: so that what is older, and comes later, stays ignored."""

from __future__ import annotations

from bridge.domain.members.members import Departure
from bridge.store.database import Database, Session, reaches_store


@reaches_store
class Departures:
    """The ``departures`` collection: member id → revision of the newest ``member.left``."""

    def __init__(self, database: Database) -> None:
        self._departures = database.collection("departures", Departure)

    async def prepare(self) -> None:
        """Nothing: it is read by id alone."""

    async def note(self, member_id: str, revision: int, session: Session | None = None) -> None:
        """Note that a member left, unless a newer revision says so already."""
        await self._departures.update_one(
            {"_id": member_id}, {"$max": {"revision": revision}}, upsert=True, session=session
        )

    async def revision(self, member_id: str, session: Session | None = None) -> int:
        """Return the revision by which a member left, or -1."""
        row = await self._departures.find_one({"_id": member_id}, session=session)
        return int(row["revision"]) if row else -1

    async def forget(self, member_id: str) -> None:
        """Remove what is known of a departure; for an erasure."""
        await self._departures.delete_one({"_id": member_id})
