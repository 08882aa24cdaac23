"""What a voided statement takes back (decision 8); the voiding may arrive before the statement it voids."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from bridge.domain.dispositions import Disposition, Outcome
from bridge.services.stores import Stores
from bridge.store.outbox import event
from bridge.store.parked import held_row


class Voidings:
    """Withdraws what a voided statement had made."""

    def __init__(self, stores: Stores) -> None:
        self._stores = stores

    async def void(self, target: str, voiding_id: str, at: datetime) -> None:
        """Void the statement ``target``; safe to repeat, and remembered for a target still to come."""
        row = await self._stores.statements.void(target, voiding_id)
        if row is None or "disposition" not in row:
            return
        if "entry_id" in row:
            await self._withdraw(row, voiding_id, at)
        elif row["disposition"] in (Disposition.PARKED, Disposition.HELD):
            await self._settle_withdrawn(row)
            await self._stores.waiting.release([target])

    async def _withdraw(self, row: dict[str, Any], voiding_id: str, at: datetime) -> None:
        member_id, entry_id = row["member_id"], row["entry_id"]
        entry = await self._stores.entries.withdraw(member_id, entry_id, row["_id"], at)
        if entry is None:
            await self._hold(member_id, entry_id, voiding_id, at)
        elif entry.get("withdrawn_at"):
            data = {"entry_id": entry_id}
            await self._stores.outbox.add([event(f"log.withdrawn:{entry_id}", "log.withdrawn", member_id, at, data)])
            await self._settle_withdrawn(row)

    async def _hold(self, member_id: str, entry_id: str, voiding_id: str, at: datetime) -> None:
        """Let the voiding of a frozen entry wait for the freeze to end (decision 4)."""
        frozen = await self._stores.entries.freeze_of(member_id, entry_id)
        if frozen is not None:
            await self._stores.waiting.hold([held_row(voiding_id, member_id, frozen["period_id"], at)])

    async def _settle_withdrawn(self, row: dict[str, Any]) -> None:
        outcome = Outcome(Disposition.WITHDRAWN, entry_id=row.get("entry_id"), member_id=row.get("member_id"))
        await self._stores.statements.settle({row["_id"]: outcome})
