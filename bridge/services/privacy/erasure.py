"""Erasure of a member: one logged act that removes them everywhere, and leaves tombstones (UK GDPR art. 17).

One transaction begins it, or holds it while an audit case goes on. Every part after that is safe to do again, so that
whoever finds an unfinished row in the ledger finishes it (docs/decisions/0012).
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterable, Collection
from contextlib import suppress
from typing import Final

import structlog

from bridge import tracing
from bridge.domain.events import MEMBER_ERASED, ErasureData, event
from bridge.domain.members import StoredMember, given_up, id_key
from bridge.domain.privacy import DataSubject, ErasureHold, StoredErasure
from bridge.errors import NotFound, Unavailable
from bridge.logs import failure
from bridge.services.operations.dead_letters import Operations
from bridge.store import Session, Stores, now

log = structlog.get_logger(__name__)

RETENTION: Final = "retention"
"""The cause of the erasure of a member who left long ago, and who asks for it."""

PATIENCE: Final = 20.0
"""Seconds that a caller waits; what is not done by then is finished by the worker."""


class MemberErasure:
    """Erases members, and finishes what was held or broken off."""

    def __init__(self, stores: Stores, operations: Operations) -> None:
        self._stores = stores
        self._ledger = stores.erasures
        self._operations = operations

    async def request(self, member_id: str, by: str, cause: str = "request") -> StoredErasure:
        """Erase a member, or hold the erasure; returns the ledger's row, ``state`` being held, running or erased.

        Asking again finishes what is not done, and changes nothing once it is. Raises ``NotFound``; so it does when
        ``RETENTION`` is the cause and the member has joined again.
        """
        row = await self._start(member_id, by, cause)
        with suppress(TimeoutError, Unavailable):  # the worker goes on with it
            async with asyncio.timeout(PATIENCE):
                return await self._carry_out(row)
        return row

    async def resume(self) -> int:
        """Carry out what was held and no longer is, and finish what was broken off; returns how many are done."""
        count = 0
        for row in await self._ledger.unfinished():
            try:
                current = await self._start(row.get("member_id", ""), row.get("requested_by", ""), row["cause"])
                count += (await self._carry_out(current))["state"] == "erased"
            except (NotFound, Unavailable) as error:  # finished by another meanwhile, or to be looked at again
                log.info("erasure left", erasure_id=row["_id"], **failure(error))
            except Exception as error:  # the others are due all the same
                log.error("erasure failed", erasure_id=row["_id"], **failure(error))  # noqa: TRY400 - failure() has it
        return count

    async def apply_again(self, rows: AsyncIterable[StoredErasure]) -> int:
        """Erase from a restored database whoever these rows of a ledger are of; returns how many were still there.

        A row has tombstones alone, so each member's are compared with them.
        """
        erased_rows = {row["_id"]: row async for row in rows}
        for row in erased_rows.values():
            if (stored_row := await self._ledger.get(row["_id"])) is None or stored_row["state"] != "erased":
                await self._ledger.put({**row, "state": "erased"})
        subjects = [subject async for subject in self._members() if subject.own_stone in erased_rows]
        for subject in subjects:
            await self._remove(subject)
        await self._remove_strangers({stone for row in erased_rows.values() for stone in row.get("keys", ())})
        return len(subjects)

    async def _members(self) -> AsyncIterable[DataSubject]:
        async for member in self._stores.members.every():
            yield await self._stores.subjects.of_member(member["_id"], member)

    async def _remove_strangers(self, stones: Collection[str]) -> None:
        """Remove what was stored under identifiers that no restored member has: they came after the backup."""
        keys_in_texts = await self._stores.removal.named(stones)
        keys = keys_in_texts - (await self._stores.identifiers.owners(keys_in_texts)).keys()
        if keys:
            await self._remove_identified(await self._stores.subjects.of_identifiers(keys))

    async def _start(self, member_id: str, by: str, cause: str) -> StoredErasure:
        """Begin an erasure, or hold it, in one transaction with the look at the member and their cases."""
        erasure_id = await self._stores.erasure_key.tombstone(id_key(member_id))
        departed = await self._stores.departures.revision(member_id) >= 0

        async def begin(session: Session) -> StoredErasure | None:
            member = await self._stores.members.touch(member_id, session)
            row = await self._ledger.get(erasure_id, session)
            if row is None and member is None and not departed:
                raise NotFound("There is no such member.")
            if row is not None and row["state"] in ("running", "erased"):
                return row
            why = row["cause"] if row is not None and cause == RETENTION else cause
            if why == RETENTION and not (member and member["left_at"]):
                await self._ledger.drop(erasure_id, session)
                return None
            request: StoredErasure = row or {
                "_id": erasure_id, "state": "held", "member_id": member_id, "requested_at": now(), "requested_by": by,
                "cause": why,
            }  # fmt: skip
            return await self._hold_or_run({**request, "cause": why}, member_id, member, session)

        row = await self._stores.database.transaction(begin)
        if row is None:
            raise NotFound("The member has joined again.")
        return row

    async def _hold_or_run(
        self, row: StoredErasure, member_id: str, member: StoredMember | None, session: Session
    ) -> StoredErasure:
        case = await self._stores.cases.open_of(member_id, session)
        if case is not None:
            hold: ErasureHold = {"reason": "audit_case", "case_id": case["_id"]}
            held_row: StoredErasure = {**row, "state": "held", "held": hold}
            await self._ledger.put(held_row, session)
            return held_row
        keys = await self._ledger.stones(member_id, member["keys"] if member else ())
        keys += [stone for stone in await self._former(member) if stone not in keys]
        running_erasure: StoredErasure = {**row, "state": "running", "held": None, "begun_at": now(), "keys": keys}
        await self._withhold(member_id, member, session)
        await self._ledger.put(running_erasure, session)
        return running_erasure

    async def _former(self, member: StoredMember | None) -> list[str]:
        """Return the tombstones of what a member once had, and nobody has now: another's are kept out of the ledger."""
        former = [identifier["stone"] for identifier in member["former"]] if member else []
        tenures = await self._stores.subjects.tenures(former)
        return [stone for stone in former if all(tenure.until for tenure in tenures[stone])]

    async def _withhold(self, member_id: str, member: StoredMember | None, session: Session) -> None:
        """Take a member's identifiers out of use, so that nothing new finds them; they are kept beside until the end.

        Whoever brings or parks something under one of them meets this transaction there.
        """
        own_key = id_key(member_id)
        await self._stores.identifiers.seek([own_key], session)
        if member is not None and "erasing" not in member:
            keys = [key for key in member["keys"] if key != own_key]
            await self._stores.identifiers.forget(keys, [member_id], session)
            former = given_up(member, [], await self._stores.erasure_key.get(), now())
            withheld: StoredMember = {**member, "keys": [own_key], "erasing": keys, "former": former}
            await self._stores.members.change(member, withheld, session)

    async def _carry_out(self, row: StoredErasure) -> StoredErasure:
        if row["state"] != "running" or "member_id" not in row:
            return row
        member_id = row["member_id"]
        subject = await self._stores.subjects.of_member(member_id, await self._stores.members.get(member_id))
        await self._operations.erase(subject)
        await self._remove(subject)
        ended_erasure = await self._end(row, member_id)
        log.info("member erased", erasure_id=row["_id"])
        return ended_erasure

    async def _remove(self, subject: DataSubject) -> None:
        """Remove a person everywhere but in the ledger and the queue; each part is safe to do again."""
        member_id, stores = subject.member_id, self._stores
        await stores.evidence.erase(member_id, now())
        await self._remove_identified(subject)
        await stores.dead_letters.forget_naming(subject)
        await stores.samples.anonymize(member_id, f"erased:{subject.own_stone}")
        await stores.removal.records(member_id)
        await stores.departures.forget(member_id)
        await stores.members.remove(member_id)

    async def _remove_identified(self, subject: DataSubject) -> None:
        await self._stores.removal.statements(subject)
        await self._stores.lrs_documents.erase(subject)
        own_keys = [id_key(subject.member_id)] if subject.member_id else []
        await self._stores.identifiers.forget([*own_keys, *subject.keys], [subject.member_id])

    async def _end(self, row: StoredErasure, member_id: str) -> StoredErasure:
        """Take the member's id out of the ledger and tell of the erasure, in one transaction, once."""

        async def end(session: Session) -> StoredErasure:
            stored_row = await self._ledger.get(row["_id"], session)
            if stored_row is not None and stored_row["state"] == "erased":
                return stored_row
            at = now()
            erased_row: StoredErasure = {**row, "state": "erased", "erased_at": at}
            erased_row.pop("member_id", None)
            await self._ledger.put(erased_row, session)
            data: ErasureData = {"erased_at": at.isoformat()}
            # The member's own count is gone with the member, and so are all other events.
            outbox_row = event(MEMBER_ERASED, row["_id"], member_id, (0, 0), at, data, tracing.current())
            await self._stores.outbox.add([outbox_row], session)
            return erased_row

        return await self._stores.database.transaction(end)
