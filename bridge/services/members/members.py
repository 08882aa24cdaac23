"""Members as the membership system knows them (R82): identifiers, renewal date, registration; and its feed."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum

from bridge.domain.members import (
    IdentifierTaken,
    MemberIn,
    MemberLeft,
    MemberUpserted,
    StoredMember,
    identifier_conflict,
    identifiers,
)
from bridge.errors import NotFound
from bridge.services.members.writing import MemberWriter, PutResult, Upsert
from bridge.services.statements.follow_ups import FollowUpRunner
from bridge.store import Session, Stores, now


class FeedResult(StrEnum):
    """What became of a change."""

    APPLIED = "applied"
    STALE = "stale"
    ERASED = "erased"


class Membership:
    """Creates and changes members; their logs follow."""

    def __init__(self, stores: Stores, writer: MemberWriter, follow_ups: FollowUpRunner) -> None:
        self._stores = stores
        self._writer = writer
        self._follow_ups = follow_ups

    async def get(self, member_id: str) -> StoredMember:
        """Return a member; raises ``NotFound``."""
        member = await self._stores.members.get(member_id)
        if member is None:
            raise NotFound("There is no such member.")
        return member

    async def language_of(self, member_id: str) -> str | None:
        """Return the language that a member has asked for; None for one who has not, or is not there."""
        member = await self._stores.members.get(member_id)
        return member.get("language") if member else None

    async def erased_at(self, member_id: str) -> datetime | None:
        """Return when a member was erased, or when that began; None for one who was not."""
        erasure_id = await self._stores.erasure_key.tombstone(identifiers.id_key(member_id))
        erasure = await self._stores.erasures.get(erasure_id)
        if erasure is None or erasure["state"] == "held":
            return None
        return erasure.get("erased_at") or erasure["requested_at"]

    async def apply(self, change: MemberUpserted | MemberLeft) -> FeedResult:
        """Create or change a member, or note that one left, also one of whom nothing was heard yet.

        An erased member is not brought back, and not complained of either (invariant 8). Raises ``Conflict`` when an
        identifier is another member's.
        """
        if await self._stores.erasures.among([identifiers.id_key(change.member_id)]):
            return FeedResult.ERASED
        if isinstance(change, MemberLeft):
            await self.leave(change.member_id, change.revision)
            return FeedResult.APPLIED
        result = await self.put(change.member_id, change.member(), change.revision)
        return FeedResult.STALE if result is None else FeedResult.APPLIED

    async def put(self, member_id: str, body: MemberIn, revision: int | None = None) -> PutResult | None:
        """Store a member, then bring the log in line; None when ``revision`` is not newer than the one stored.

        Raises ``Conflict`` when an identifier belongs to another member, or the member was erased (invariant 8).
        """
        upsert = Upsert(member_id, body, revision)
        try:
            (result,) = await self._stores.database.transaction(lambda session: self._writer.write([upsert], session))
        except IdentifierTaken as error:
            raise identifier_conflict(body, error.key) from error
        await self._follow_ups.run_for_a_while(member_id)
        return result

    async def leave(self, member_id: str, revision: int) -> bool:
        """Note that a member left, also one who is not known yet; the record stays until retention or an erasure.

        Returns whether it was news: an older revision changes nothing.
        """

        async def work(session: Session) -> bool:
            member = await self._stores.members.touch(member_id, session)
            members = {} if member is None else {member_id: member}
            await self._writer.refuse_erased([member_id], members, session)
            await self._stores.departures.note(member_id, revision, session)
            # Whoever brings this member meets it here, if there is no member's document to meet on.
            await self._stores.identifiers.seek([identifiers.id_key(member_id)], session)
            if member is None or member.get("revision", -1) >= revision:
                return False
            departed_member: StoredMember = {**member, "left_at": now(), "revision": revision}
            await self._stores.members.change(member, departed_member, session)
            return True

        return await self._stores.database.transaction(work)
