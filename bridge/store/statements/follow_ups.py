"""Follow-up work on a member's record: written down in the transaction that causes it, done in pieces after it."""

from __future__ import annotations

from datetime import datetime

from bridge.domain.statements.ledger import FollowUp
from bridge.store.database import Change, Database, Session, reaches_store


@reaches_store
class FollowUps:
    """The ``follow_ups`` collection: a row a member.

    ``refile_after`` is there while entries are to be brought into the years that the member has now: the id of the last
    one that was. ``at`` is when somebody last worked on it.
    """

    def __init__(self, database: Database) -> None:
        self._follow_ups = database.collection("follow_ups", FollowUp)

    async def add(self, member_id: str, at: datetime, session: Session, *, refile: bool = False) -> None:
        """Write down that what waits for the member is to be recorded, and with ``refile`` the entries filed anew."""
        change: Change = {"at": at, "member_id": member_id, **({"refile_after": ""} if refile else {})}
        await self._follow_ups.update_one({"_id": member_id}, {"$set": change}, upsert=True, session=session)

    async def get(self, member_id: str, session: Session | None = None) -> FollowUp | None:
        """Return what is left to do for a member, or None."""
        return await self._follow_ups.find_one({"_id": member_id}, session=session)

    async def go_on(self, member_id: str, at: datetime, refile_after: str | None, session: Session) -> None:
        """Note how far a piece has come; None says that no entry is left to be filed anew."""
        place: Change = {"$unset": {"refile_after": ""}} if refile_after is None else {}
        progress = {} if refile_after is None else {"refile_after": refile_after}
        change = {"$set": {"at": at, **progress}, **place}
        await self._follow_ups.update_one({"_id": member_id}, change, session=session)

    async def done(self, member_id: str, session: Session) -> None:
        """Note that nothing is left to do."""
        await self._follow_ups.delete_one({"_id": member_id}, session=session)

    async def left_behind(self, before: datetime) -> list[str]:
        """Return the members whose work nobody has gone on with since a time, the longest waiting first."""
        rows = self._follow_ups.find({"at": {"$lt": before}}, {"_id": 1}).sort("at", 1)
        return [row["_id"] async for row in rows]
