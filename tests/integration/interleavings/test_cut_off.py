"""A process that dies, or a store that is away, at the very moment that hurts: nothing is lost or done twice."""

from __future__ import annotations

from typing import Any

import pytest

from bridge.errors import Unavailable
from bridge.services.feed import MemberUpserted
from tests.integration.interleavings.world import EVENING, MORNING, World, be_away, before
from tests.support.statements import completed, member, voided


def upserted(**extra: Any) -> MemberUpserted:
    """What the member feed brings of a member."""
    return MemberUpserted.model_validate({**member(), "member_id": "m-1", "revision": 5, **extra})


async def test_parked_and_cut_off_before_its_member_comes(world: World) -> None:
    """Decision 10: what the ledger calls parked and nothing waits for is recorded when it comes again."""
    statement = completed()
    await world.cut_off(world.a.stores.waiting, "park", statement)
    await world.put()
    await world.record(world.b, statement, redelivered=True)
    (entry,) = await world.log()
    row = await world.row(statement)
    assert (row["disposition"], row["entry_id"], row["member_id"]) == ("recorded", entry["_id"], "m-1")
    assert await world.told() == ["log.drafted"]


async def test_parked_during_an_outage_before_its_member_comes(world: World) -> None:
    """Invariant 7: the same by an outage alone, after which the process tries again."""
    statement = completed()
    before(world.a.stores.waiting, "park", be_away)
    with pytest.raises(Unavailable):
        await world.record(world.a, statement)
    await world.put()
    await world.record(world.a, statement)
    assert len(await world.log()) == 1
    assert await world.told() == ["log.drafted"]


async def test_recorded_and_cut_off_before_a_freeze(world: World) -> None:
    """Decision 4: what comes again after the freeze began waits for its end, and is recorded then."""
    await world.put()
    statement = completed()
    await world.cut_off(world.a.stores.entries, "write", statement)
    await world.freeze()
    await world.record(world.b, statement, redelivered=True)
    row = await world.row(statement)
    assert (row["disposition"], "entry_id" in row) == ("held", False)
    await world.thaw()
    assert len(await world.log()) == 1


async def test_held_and_cut_off_before_the_freeze_ends(world: World) -> None:
    """Decision 4: what the ledger calls held and does not wait is recorded when it comes again."""
    await world.put()
    await world.freeze()
    statement = completed()
    await world.cut_off(world.a.stores.waiting, "hold", statement)
    await world.thaw()
    await world.record(world.b, statement, redelivered=True)
    assert len(await world.log()) == 1


async def test_recorded_and_cut_off_before_the_identifier_moves(world: World) -> None:
    """R82: the completion goes to whom the identifier belongs when it comes again."""
    await world.put()
    statement = completed()
    await world.cut_off(world.a.stores.entries, "write", statement)
    await world.put(identifiers=[])
    await world.put("m-2")
    await world.record(world.b, statement, redelivered=True)
    (entry,) = await world.log("m-2")
    row = await world.row(statement)
    assert (row["member_id"], row["entry_id"], await world.log("m-1")) == ("m-2", entry["_id"], [])


async def test_a_repeat_after_the_identifier_moved_is_a_duplicate(world: World) -> None:
    """Decision 6: what was recorded, joined or held where it belonged then is there, and is not recorded twice."""
    await world.put()
    first, second = completed(at=MORNING), completed(at=EVENING)
    await world.record(world.a, first)
    await world.record(world.a, second)
    await world.put(identifiers=[])
    await world.put("m-2")
    assert await world.record(world.b, first, second, redelivered=True) == ["duplicate", "duplicate"]
    assert (len(await world.log("m-1")), await world.log("m-2")) == (1, [])


async def test_merged_and_cut_off_before_it_is_settled(world: World) -> None:
    """Decision 7: once it comes again, the ledger names the entry that a completion joined, as a voiding needs."""
    await world.put()
    first, second = completed(at=MORNING), completed(at=EVENING)
    await world.record(world.a, first)
    await world.cut_off(world.a.stores.statements, "settle", second)
    await world.record(world.b, second, redelivered=True)
    (entry,) = await world.log()
    row = await world.row(second)
    assert (row["disposition"], row["entry_id"]) == ("merged", entry["_id"])
    await world.record(world.b, voided(second["id"]))
    (entry,) = await world.log()
    assert entry["provenance"]["voided_ids"] == [second["id"]]


async def test_a_replay_of_what_was_cut_off_is_told(world: World) -> None:
    """A draft that is written only now has not been told of, whatever the broker says of its message."""
    await world.put()
    statement = completed()
    await world.cut_off(world.a.stores.entries, "write", statement)
    await world.record(world.b, statement)
    assert await world.told() == ["log.drafted"]


async def test_a_member_change_is_cut_off_before_the_log_catches_up(world: World) -> None:
    """Decision 10: its second try releases what is parked, though the member has this revision already."""
    await world.record(world.a, completed())
    before(world.b.stores.waiting, "parked_for", be_away)
    with pytest.raises(Unavailable):
        await world.b.feed.upserted(upserted())
    await world.b.feed.upserted(upserted())
    assert (len(await world.log()), await world.b.stores.waiting.count_parked()) == (1, 0)


async def test_parked_and_held_after_all(world: World) -> None:
    """Decision 4: what is parked no more since a freeze holds it waits in one place only."""
    statement = completed()
    await world.record(world.a, statement)
    await world.put(identifiers=[])
    await world.freeze()
    await world.put()
    waiting = world.b.stores.waiting
    assert (await waiting.count_parked(), await waiting.count_held("m-1")) == (0, {"2026-04-01": 1})
    await world.thaw()
    assert len(await world.log()) == 1


async def test_parked_behind_what_a_freeze_holds(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Decision 10: a whole batch that is held keeps nothing that is parked behind it from the log."""
    monkeypatch.setattr("bridge.services.recording.RELEASED_AT_ONCE", 2)
    for one in (completed(activity="course/1"), completed(activity="course/2"), completed(at="2026-03-04T10:00:00Z")):
        await world.record(world.a, one)
    await world.put(identifiers=[])
    await world.freeze()
    await world.put()
    assert [entry["date"] for entry in await world.log()] == ["2026-03-04"]


async def test_a_member_is_erased_during_a_change_that_is_cut_off(world: World) -> None:
    """Invariant 8: its second try removes what the first wrote after the erasure."""
    await world.put()
    before(world.a.stores.members, "put", world.erase)
    before(world.a.stores.members, "new_epoch", be_away)
    with pytest.raises(Unavailable):
        await world.a.feed.upserted(upserted(name="planted"))
    await world.a.feed.upserted(upserted(name="planted"))
    assert await world.holding("planted") == {}
