"""An erasure that comes at the very moment that hurts leaves nothing behind."""

from __future__ import annotations

from typing import Any

import pytest

from tests.integration.interleavings.world import EVENING, MORNING, World, before
from tests.support.statements import account, activity_of, completed, voided

PLANTED = activity_of("course/1", "planted")


async def test_voided_then_erased_then_it_comes(world: World) -> None:
    """Invariant 8: of a statement that a voiding had named before its actor was erased nothing is kept."""
    await world.put()
    statement = completed(object=PLANTED)
    await world.record(world.a, voided(statement["id"]))
    await world.erase()
    assert await world.record(world.a, statement) == ["ignored"]
    assert await world.record(world.a, statement) == ["ignored"]
    assert await world.holding("planted") == {}


async def test_a_voiding_by_somebody_erased(world: World) -> None:
    """Invariant 8: it takes effect, and its sender's name is not kept."""
    await world.put()
    await world.put("m-2", "2002")
    statement = completed("2002")
    await world.record(world.a, statement)
    await world.erase()
    await world.record(world.a, {**voided(statement["id"]), "actor": {**account("1001"), "name": "planted"}})
    assert (await world.log("m-2"), await world.holding("planted")) == ([], {})


@pytest.mark.parametrize("moment", ["entries.write", "statements.settle", "outbox.add_block"])
async def test_erased_while_it_is_recorded(world: World, moment: str) -> None:
    """Invariant 8: whatever the worker writes after the erasure is removed by the worker."""
    await world.put()
    await world.record(world.a, completed(at=MORNING))
    store, call = moment.split(".")
    before(getattr(world.a.stores, store), call, world.erase)
    second, third = completed(at=EVENING), completed(activity="course/3")
    await world.record(world.a, second, third)
    assert await world.holding("m-1") == {}
    assert await world.record(world.a, second, third) == ["ignored", "ignored"]


@pytest.mark.parametrize(
    "statement",
    [
        completed(result={"completion": False}, object=PLANTED),
        completed("2002", context={"instructor": {**account("1001"), "name": "planted"}}),
        completed("3003", context={"instructor": {**account("1001"), "name": "planted"}}),
    ],
    ids=["ignored", "another's", "parked"],
)
async def test_erased_while_it_is_claimed(world: World, statement: dict[str, Any]) -> None:
    """Invariant 8: the text of what leads to no entry of the person's goes too."""
    await world.put()
    await world.put("m-2", "2002")
    before(world.a.stores.statements, "claim", world.erase)
    await world.record(world.a, statement)
    assert await world.holding("planted") == {}


async def test_erased_while_it_is_filled_in(world: World) -> None:
    """Invariant 8: nor does the text stay of what was voided before it came."""
    await world.put()
    statement = completed(object=PLANTED)
    await world.record(world.a, voided(statement["id"]))
    before(world.a.stores.statements, "fill", world.erase)
    await world.record(world.a, statement)
    assert await world.holding("planted") == {}


async def test_erased_while_it_is_voided(world: World) -> None:
    """Invariant 8: nor the tombstone of an entry, and the event that tells of it."""
    await world.put()
    statement = completed()
    await world.record(world.a, statement)
    before(world.a.stores.entries, "withdraw", world.erase)
    await world.record(world.a, voided(statement["id"]))
    assert await world.holding("m-1") == {}
