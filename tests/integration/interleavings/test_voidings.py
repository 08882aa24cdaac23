"""A voiding that comes at the very moment that hurts takes back its own statement, and nothing else."""

from __future__ import annotations

from tests.integration.interleavings.world import EVENING, MORNING, REGISTRATION, World, before
from tests.support.statements import account, completed, voided


async def test_held_for_an_entry_and_voided(world: World) -> None:
    """Decision 8: a completion that waits since the entry it would join is frozen is withdrawn like any other."""
    await world.put()
    first = completed(at=MORNING, context=REGISTRATION)
    second = completed(at="2025-05-09T08:00:00Z", context=REGISTRATION)
    await world.record(world.a, first)
    await world.take_in()
    await world.freeze()
    assert await world.record(world.a, second) == ["held"]
    await world.record(world.a, voided(second["id"]))
    assert await world.b.stores.waiting.count_held("m-1") == {}
    assert "log.withdrawn" not in await world.told()
    await world.thaw()
    (entry,) = await world.log()
    assert entry["provenance"]["statement_ids"] == [first["id"]]


async def test_one_of_two_that_merge_is_voided(world: World) -> None:
    """Decision 8: a voiding between claim and entry takes back its own statement, not the one that it would join."""
    await world.put()
    first, second = completed(at=MORNING), completed(at=EVENING)
    before(world.a.stores.entries, "write", lambda: world.record(world.b, voided(second["id"])))
    await world.record(world.a, first, second)
    (entry,) = await world.log()
    assert first["id"] in entry["provenance"]["statement_ids"]
    assert entry["provenance"].get("voided_ids", []) == [second["id"]]


async def test_one_of_two_that_merge_is_voided_after_both_were_cut_off(world: World) -> None:
    """Decision 8: nor when the voiding comes between two tries."""
    await world.put()
    first, second = completed(at=MORNING), completed(at=EVENING)
    await world.cut_off(world.a.stores.entries, "write", first, second)
    await world.record(world.b, voided(second["id"]))
    await world.record(world.b, first, second, redelivered=True)
    (entry,) = await world.log()
    assert entry["provenance"].get("voided_ids", []) == [second["id"]]


async def test_the_first_of_two_that_merge_is_voided(world: World) -> None:
    """Decision 8: the completion that would have joined a withdrawn draft gets its own."""
    await world.put()
    first, second = completed(at=MORNING), completed(at=EVENING)
    before(world.a.stores.entries, "write", lambda: world.record(world.b, voided(first["id"])))
    await world.record(world.a, first, second)
    (entry,) = await world.log()
    assert entry["provenance"]["statement_ids"] == [second["id"]]
    assert [(await world.row(one))["disposition"] for one in (first, second)] == ["withdrawn", "recorded"]


async def test_voided_while_it_joins_another(world: World) -> None:
    """Decision 8: an entry that a statement joined after its voiding looked is flagged."""
    await world.put()
    first, second = completed(at=MORNING), completed(at=EVENING)
    await world.record(world.a, first)
    before(world.a.stores.entries, "write", lambda: world.record(world.b, voided(second["id"])))
    await world.record(world.a, second)
    (entry,) = await world.log()
    flagged = entry["provenance"].get("voided_ids", []) == [second["id"]]
    assert flagged or second["id"] not in entry["provenance"]["statement_ids"]


async def test_voided_while_it_is_parked(world: World) -> None:
    """Decision 8: what is voided between claim and parking does not wait, and makes no draft."""
    statement = completed()
    before(world.a.stores.waiting, "park", lambda: world.record(world.b, voided(statement["id"])))
    await world.record(world.a, statement)
    assert await world.b.stores.waiting.count_parked() == 0
    await world.put()
    assert (await world.log(), (await world.row(statement))["disposition"]) == ([], "withdrawn")


async def test_voided_while_it_is_held(world: World) -> None:
    """Decision 8: nor does what is voided between claim and holding."""
    await world.put()
    await world.freeze()
    statement = completed()
    before(world.a.stores.waiting, "hold", lambda: world.record(world.b, voided(statement["id"])))
    await world.record(world.a, statement)
    assert await world.b.stores.waiting.count_held("m-1") == {}
    await world.thaw()
    assert await world.log() == []


async def test_voided_while_it_is_released(world: World) -> None:
    """Decision 8: what stops waiting at the moment of its voiding is withdrawn."""
    statement = completed()
    await world.record(world.a, statement)
    before(world.b.stores.entries, "write", lambda: world.record(world.a, voided(statement["id"])))
    await world.put()
    assert (await world.log(), (await world.row(statement))["disposition"]) == ([], "withdrawn")


async def voided_while_frozen(world: World, by: str = "2002") -> None:
    """An entry of ``m-1`` in a frozen period, and its voiding, sent by ``m-2``."""
    await world.put()
    await world.put("m-2", by)
    statement = completed()
    await world.record(world.a, statement)
    await world.take_in()
    await world.freeze()
    await world.record(world.a, {**voided(statement["id"]), "actor": account(by)})


async def test_a_voiding_that_waits_is_no_completion(world: World) -> None:
    """Decision 4: a voiding waits for the end of the freeze, and is not counted among the drafts to come."""
    await voided_while_frozen(world)
    assert await world.b.stores.waiting.count_held("m-1") == {}
    await world.thaw()
    assert await world.log() == []


async def test_a_voiding_that_waits_whose_text_is_gone(world: World) -> None:
    """Decision 8: the voiding takes effect though its sender was erased meanwhile."""
    await voided_while_frozen(world)
    await world.erase("m-2")
    await world.thaw()
    assert await world.log() == []


async def test_a_voiding_that_waits_and_another_freeze(world: World) -> None:
    """Decision 4: a voiding that meets the next submission while it is let go waits for the end of that."""
    await voided_while_frozen(world)
    before(world.b.stores.entries, "withdraw", world.freeze)
    await world.thaw()
    assert len(await world.log()) == 1
    await world.thaw()
    assert await world.log() == []
