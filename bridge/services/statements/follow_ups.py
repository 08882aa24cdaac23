"""Follow-up work on a member's record: what waited is recorded, and entries are filed anew, in pieces (R82).

Whoever causes it (new identifiers, another calendar, the end of a freeze) writes it down in the same transaction. The
caller goes on with it for a while; the worker does what is left, after any kill.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from datetime import timedelta
from typing import Final

import structlog

from bridge.domain.members import StoredMember, calendar_of
from bridge.domain.record import refiled
from bridge.errors import Unavailable
from bridge.logs import failure
from bridge.services.statements.recording import Recording
from bridge.store import AlreadyThere, Session, Stores, now

log = structlog.get_logger(__name__)

STATEMENTS_AT_ONCE: Final = 100
ENTRIES_AT_ONCE: Final = 500
"""How much one piece takes on."""

PATIENCE: Final = 10.0
"""Seconds that a caller goes on with it; thousands of statements may have waited."""

LEFT_BEHIND: Final = timedelta(seconds=30)
"""After this time without a piece, nobody is at it any more."""


class FollowUpRunner:
    """Does the follow-up work of members."""

    def __init__(self, stores: Stores, recording: Recording) -> None:
        self._stores = stores
        self._rows = stores.follow_ups
        self._recording = recording

    async def run(self, member_id: str) -> None:
        """Do all that is left for a member; raises ``Unavailable`` when the store is away."""
        while await self.piece(member_id):
            pass

    async def piece(self, member_id: str) -> bool:
        """Do one piece of it, in a transaction; returns whether there may be more."""
        return await self._stores.database.transaction(lambda session: self._piece(member_id, session))

    async def run_for_a_while(self, member_id: str) -> None:
        """Do what can be done while a caller waits; the worker does the rest."""
        with suppress(TimeoutError, Unavailable, AlreadyThere):
            async with asyncio.timeout(PATIENCE):
                await self.run(member_id)

    async def resume(self) -> int:
        """Do what was left behind; returns for how many members."""
        members = await self._rows.left_behind(now() - LEFT_BEHIND)
        for member_id in members:
            try:
                await self.run(member_id)
            except Unavailable:
                raise
            except Exception as error:  # the others wait all the same
                log.error("follow-up failed", member_id=member_id, **failure(error))  # noqa: TRY400 - failure() has it
        return len(members)

    async def _piece(self, member_id: str, session: Session) -> bool:
        member = await self._stores.members.touch(member_id, session)
        work = await self._rows.get(member_id, session)
        if work is None:
            return False
        if member is None or "erasing" in member:
            await self._rows.done(member_id, session)
            return False
        if "refile_after" in work:
            await self._refile(member, work["refile_after"], session)
        elif await self._recording.release(member, STATEMENTS_AT_ONCE, session):
            await self._rows.go_on(member_id, now(), None, session)
        else:
            await self._rows.done(member_id, session)
            return False
        return True

    async def _refile(self, member: StoredMember, beyond: str, session: Session) -> None:
        """File the next entries under the periods that their dates lie in now (R82); a frozen one stays where it is."""
        records = self._stores.log.of(member["_id"], session)
        calendar = calendar_of(member)
        entries = await records.in_order(beyond, ENTRIES_AT_ONCE)
        await records.save([(entry, refiled(entry, calendar)) for entry in entries if not entry.get("frozen")])
        last = entries[-1]["_id"] if len(entries) == ENTRIES_AT_ONCE else None
        await self._rows.go_on(member["_id"], now(), last, session)
