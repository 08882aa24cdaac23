"""Links between the plan and the log, as the member makes them (R47, R48)."""

from __future__ import annotations

from bridge.services.record.saving import ENTRY, ITEM, get_or_404, save_link
from bridge.services.unit_of_work import UnitOfWork, UnitsOfWork, raise_if_frozen


class RecordLinks:
    """Makes and takes away links; both are safe to repeat."""

    def __init__(self, units: UnitsOfWork) -> None:
        self._units = units

    async def link(self, member_id: str, entry_id: str, plan_id: str) -> None:
        """Link an entry with a plan item; raises ``NotFound`` or ``RecordFrozen``."""
        await self._units.run(member_id, lambda unit: _set_link(unit, entry_id, plan_id, linked=True))

    async def unlink(self, member_id: str, entry_id: str, plan_id: str) -> None:
        """Take a link away; raises ``NotFound`` or ``RecordFrozen``."""
        await self._units.run(member_id, lambda unit: _set_link(unit, entry_id, plan_id, linked=False))


async def _set_link(unit: UnitOfWork, entry_id: str, plan_id: str, *, linked: bool) -> None:
    entry = await get_or_404(unit.log, entry_id, ENTRY)
    item = await get_or_404(unit.plan, plan_id, ITEM)
    raise_if_frozen(entry.get("frozen"))
    raise_if_frozen(item.get("frozen"))
    await save_link(unit, entry, item, linked=linked)
