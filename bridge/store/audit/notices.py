"""Notices to members by e-mail: what is to be sent, what was, and what could not be."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TypedDict

from pymongo import ReturnDocument

from bridge.domain.audit.notices import FINAL, PENDING, SENDING, UNCERTAIN, NoticeState, StoredNotice
from bridge.store.database import Database, insert_new, reaches_store
from bridge.store.listing import Listing, ListQuery, Position, Sort, page_of

_NEWEST_FIRST: Sort = [("created_at", True)]


class NoticeChange(TypedDict, total=False):
    """The outcome of a claimed notice."""

    state: NoticeState
    status: str | None
    next_at: datetime
    sent_at: datetime
    message_id: str


@reaches_store
class Notices:
    """The ``notices`` collection; ``_id`` is the id of the event that the notice tells of, so each is there once."""

    def __init__(self, database: Database) -> None:
        self._notices = database.collection("notices", StoredNotice)

    async def add(self, notice: StoredNotice) -> None:
        """Add a notice to send; one that is there already stays as it is."""
        await insert_new(self._notices, [notice])

    async def claim(self, at: datetime, lease: timedelta) -> StoredNotice | None:
        """Take on the notice that has waited longest, so that nobody else sends it; None when none is due."""
        return await self._notices.find_one_and_update(
            {"state": PENDING, "next_at": {"$lte": at}},
            {"$set": {"state": SENDING, "claimed_at": at, "claimed_until": at + lease}, "$inc": {"attempts": 1}},
            sort=[("next_at", 1)],
            return_document=ReturnDocument.AFTER,
        )

    async def record_outcome(self, notice: StoredNotice, change: NoticeChange) -> None:
        """Write down what became of a claimed notice, unless the claim has run out."""
        claim_query = {"_id": notice["_id"], "state": SENDING, "claimed_at": notice.get("claimed_at")}
        await self._notices.update_one(claim_query, {"$set": change})

    async def give_up_claims(self, at: datetime) -> int:
        """Mark notices whose sender died as uncertain; returns how many."""
        lost_query = {"state": SENDING, "claimed_until": {"$lt": at}}
        return (await self._notices.update_many(lost_query, {"$set": {"state": UNCERTAIN}})).modified_count

    async def requeue(self, notice_id: str, at: datetime) -> StoredNotice | None:
        """Put a notice that ended without being sent back in line; None when there is none such."""
        return await self._notices.find_one_and_update(
            {"_id": notice_id, "state": {"$in": sorted(FINAL)}},
            {"$set": {"state": PENDING, "next_at": at, "created_at": at}},
            return_document=ReturnDocument.AFTER,
        )

    async def record_bounce(self, message_id: str, status: str, at: datetime) -> bool:
        """Note that a sent notice came back, by its Message-ID; returns whether it is one of ours."""
        change = {"$set": {"state": "bounced", "status": status, "bounced_at": at}}
        return (await self._notices.update_one({"message_id": message_id}, change)).matched_count > 0

    async def get(self, notice_id: str) -> StoredNotice | None:
        """Return a notice, or None."""
        return await self._notices.find_one({"_id": notice_id})

    async def list(self, state: NoticeState | None, limit: int, after: Position | None) -> Listing[StoredNotice]:
        """Return a page of notices, of one state or of all, newest first."""
        query = {} if state is None else {"state": state}
        return await page_of(self._notices, ListQuery({}, query, _NEWEST_FIRST, limit, after))
