"""Comments on a membership year (R50-R52): they are added and read, and there is no way to change or remove one."""

from __future__ import annotations

from bridge.domain.record.comments import StoredComment
from bridge.domain.record.periods import MembershipYear
from bridge.store.database import Database, Session, reaches_store
from bridge.store.listing import Listing, ListQuery, Position, Sort, order_index, page_of


@reaches_store
class Comments:
    """The ``comments`` collection; ``day`` decides the period, so that each comment has one in any calendar (R82)."""

    def __init__(self, database: Database) -> None:
        self._comments = database.collection("comments", StoredComment)

    async def prepare(self) -> None:
        """Create the indexes."""
        await self._comments.create_index(order_index("member_id", name="created_at"), name="by_created_at")

    async def add(self, comment: StoredComment, session: Session) -> None:
        """Add one comment."""
        await self._comments.insert_one(comment, session=session)

    async def list(
        self, member_id: str, period: MembershipYear, sort: Sort, limit: int, after: Position | None
    ) -> Listing[StoredComment]:
        """Return a page of a member's comments on a period."""
        days = {"day": {"$gte": period.start.isoformat(), "$lte": period.end.isoformat()}}
        return await page_of(self._comments, ListQuery({"member_id": member_id}, days, sort, limit, after))
