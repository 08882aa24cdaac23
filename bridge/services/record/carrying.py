"""Plan items that go on in a later year: ``carried_to`` and ``carried_from`` of live items name each other.

A deleted one keeps what it had, so that restoring it joins them again, unless another has come between meanwhile.
"""

from __future__ import annotations

from typing import Final, Literal, cast

from bridge.domain.record import StoredPlanItem
from bridge.services.unit_of_work import UnitOfWork, raise_if_frozen

Side = Literal["carried_to", "carried_from"]
BACK: Final[dict[Side, Side]] = {"carried_to": "carried_from", "carried_from": "carried_to"}
"""A side of an item → the side on which its neighbour names it."""


async def release_neighbours(unit: UnitOfWork, item: StoredPlanItem) -> None:
    """Take an item that is being deleted out of its neighbours; raises ``RecordFrozen`` for a frozen one."""
    for side, back in BACK.items():
        neighbour = await unit.plan.get_any(item.get(side, ""))
        if neighbour is not None and neighbour.get(back) == item["_id"]:
            await _save_side(unit, neighbour, back, None)


async def rejoin_neighbours(unit: UnitOfWork, item: StoredPlanItem) -> list[Side]:
    """Put an item that is being restored back into its neighbours; returns the sides on which it has none now.

    A neighbour that was deleted meanwhile remembers the item instead, and comes back to it when it is restored itself.
    """
    free_sides: list[Side] = []
    for side, back in BACK.items():
        neighbour = await unit.plan.get_any(item.get(side, ""))
        if neighbour is None or neighbour.get(back, item["_id"]) != item["_id"]:
            free_sides.append(side)
            continue
        await _save_side(unit, neighbour, back, item["_id"])
        if neighbour.get("deleted_at"):
            free_sides.append(side)
    return free_sides


async def _save_side(unit: UnitOfWork, item: StoredPlanItem, side: Side, neighbour_id: str | None) -> None:
    raise_if_frozen(item.get("frozen"))
    after = {name: value for name, value in item.items() if name != side}
    joined_item = {**after, side: neighbour_id} if neighbour_id else after
    await unit.save_items([(item, cast("StoredPlanItem", joined_item))])
