"""What a voided statement takes back (decision 8); the voiding may arrive before the statement it voids."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from bridge.domain.dispositions import Disposition, Outcome
from bridge.services.stores import Stores
from bridge.store.database import Document
from bridge.store.outbox import event
from bridge.store.parked import held_voiding


class Voidings:
    """Withdraws what a voided statement had made."""

    def __init__(self, stores: Stores) -> None:
        self._stores = stores

    async def void(self, target: str, voiding_id: str, at: datetime) -> bool:
        """Void the statement ``target``; safe to repeat, and remembered for a target still to come.

        Returns whether it has to wait for the end of a freeze.
        """
        row = await self._stores.statements.void(target, voiding_id)
        if row is None or "disposition" not in row:
            return False
        if "entry_id" in row:
            return await self._withdraw(row, voiding_id, at)
        if row["disposition"] in (Disposition.PARKED, Disposition.HELD):
            await self._settle_withdrawn(row)
            await self._stores.waiting.release([target])
        return False

    async def let_go(self, held: Sequence[Document]) -> int:
        """Do what voidings waited to do; returns how many wait no more."""
        done = [one["_id"] for one in held if not await self.void(one["target"], one["_id"], one["at"])]
        await self._stores.waiting.let_go(done)
        return len(done)

    async def _withdraw(self, row: Document, voiding_id: str, at: datetime) -> bool:
        member_id, entry_id = row["member_id"], row["entry_id"]
        entry = await self._stores.entries.withdraw(member_id, entry_id, row["_id"], at)
        waits = entry is None and await self._hold(row, voiding_id, at)
        if entry and entry.get("withdrawn_at"):
            data = {"entry_id": entry_id}
            await self._stores.outbox.add([event(f"log.withdrawn:{entry_id}", "log.withdrawn", member_id, at, data)])
            await self._settle_withdrawn(row)
        await self._stores.removal.late(member_id)  # erased meanwhile: both write, then read
        return waits

    async def _hold(self, row: Document, voiding_id: str, at: datetime) -> bool:
        """Let the voiding of a frozen entry wait for the freeze to end (decision 4); returns whether it is frozen."""
        member_id = row["member_id"]
        frozen = await self._stores.entries.freeze_of(member_id, row["entry_id"])
        if frozen is not None:
            held = held_voiding(voiding_id, row["_id"], member_id, frozen["period_id"], at)
            await self._stores.waiting.hold_voiding(held)
        return frozen is not None

    async def _settle_withdrawn(self, row: Document) -> None:
        outcome = Outcome(Disposition.WITHDRAWN, entry_id=row.get("entry_id"), member_id=row.get("member_id"))
        await self._stores.statements.settle({row["_id"]: outcome})
