"""Comments on a membership year (R50-R52): they are added and read, and there is no way to change or remove one."""

from __future__ import annotations

from typing import Any

from bridge.domain.record.periods import Period
from bridge.store.database import Database, Document, Session, reaches_store
from bridge.store.listing import Listing, Sort, Wanted, number_of, order_index, rows_of


@reaches_store
class Comments:
    """The ``comments`` collection; ``day`` decides the period, so that each comment has one in any calendar (R82)."""

    def __init__(self, database: Database) -> None:
        self._comments = database.collection("comments")

    async def prepare(self) -> None:
        """Create the indexes."""
        await self._comments.create_index(order_index("member_id", name="created_at"), name="by_created_at")

    async def add(self, comment: Document, session: Session) -> None:
        """Add one comment."""
        await self._comments.insert_one(comment, session=session)

    async def list(self, member_id: str, period: Period, sort: Sort, limit: int, after: list[Any] | None) -> Listing:
        """Return a page of a member's comments on a period."""
        mine, on = {"member_id": member_id}, {"day": {"$gte": period.start.isoformat(), "$lte": period.end.isoformat()}}
        items, position = await rows_of(self._comments, Wanted(mine, on, sort, limit, after))
        return Listing(items, position, await number_of(self._comments, mine, on))
