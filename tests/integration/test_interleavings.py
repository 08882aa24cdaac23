"""Two workers, a member's change, a voiding, an erasure and a process that dies, each at the very moment that hurts.

Services ``a`` are interrupted just before one of their own calls to the store (``before``); services ``b`` act there,
as another process would. Nothing is random, so that what was found once stays found (docs/decisions/0002).
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any

import orjson
import pytest

from bridge import wiring
from bridge.domain.arrivals import arrival
from bridge.errors import Unavailable
from bridge.services.feed import MemberUpserted
from bridge.services.members import MemberIn
from bridge.settings import Settings
from bridge.store.members import calendar_of
from tests.support.statements import account, activity_of, completed, member, voided

REGISTRATION = {"registration": "5e3f5a0e-2f4b-4a8e-9d6f-7a3d1f1b2c3d"}
MORNING, EVENING = "2026-05-04T08:00:00Z", "2026-05-04T20:00:00Z"


class Died(BaseException):
    """The process is gone."""


def before(owner: Any, name: str, act: Callable[[], Awaitable[Any]]) -> None:
    """Do ``act`` just before the next call of a method of ``owner``, once."""
    real = getattr(owner, name)

    async def hooked(*args: Any, **kwargs: Any) -> Any:
        setattr(owner, name, real)
        await act()
        return await real(*args, **kwargs)

    setattr(owner, name, hooked)


async def die() -> None:
    """End the process, as far as its services can tell."""
    raise Died


async def be_away() -> None:
    """Do not answer, as a store does not that is away."""
    raise Unavailable


@dataclass
class World:
    """Two processes over one store, and what is in it."""

    a: wiring.Services
    b: wiring.Services

    async def record(self, by: wiring.Services, *statements: dict[str, Any], redelivered: bool = False) -> list[str]:
        """Record a batch; returns the dispositions."""
        at, rules = datetime.now(UTC), by.recording.rules
        batch = [arrival(one, orjson.dumps(one), at, rules, redelivered=redelivered) for one in statements]
        return [outcome.disposition.value for outcome in await by.recording.record(batch)]

    async def cut_off(self, owner: Any, name: str, *statements: dict[str, Any]) -> None:
        """Let ``a`` die while it records, before a call of a method."""
        before(owner, name, die)
        with pytest.raises(Died):
            await self.record(self.a, *statements)

    async def put(self, member_id: str = "m-1", name: str = "1001", **extra: Any) -> None:
        """Make a member known, or change one."""
        await self.b.members.put(member_id, MemberIn.model_validate(member(name, **extra)))

    async def erase(self, member_id: str = "m-1") -> None:
        """Erase a member."""
        assert (await self.b.erasures.request(member_id, "dpo"))["state"] == "erased"

    async def holding(self, text: str) -> dict[str, list[Any]]:
        """What holds a text, by collection, but for the event that tells of an erasure."""
        raw = self.b.stores.database.raw
        rows = {name: [row async for row in raw[name].find({})] for name in await raw.list_collection_names()}
        found = {name: [row for row in rows if text in str(row)] for name, rows in rows.items()}
        told = {name: [row for row in rows if row.get("type") != "member.erased"] for name, rows in found.items()}
        return {name: rows for name, rows in told.items() if rows}

    async def freeze(self) -> None:
        """Freeze the year of ``m-1`` that begins in April 2026, as a submission does."""
        period = calendar_of(await self._member()).period_for(date(2026, 5, 4))
        mark = {"case_id": "c", "period_id": period.id, "since": datetime.now(UTC)}
        freeze = {**mark, "start": period.start.isoformat(), "end": period.end.isoformat()}
        mine = {"member_id": "m-1", "period_id": period.id, "listed": True}
        await self._entries.update_many(mine, {"$set": {"frozen": mark}})
        await self._set_frozen([freeze])

    async def thaw(self) -> None:
        """End the freeze, and let go what waited for that."""
        await self._entries.update_many({"member_id": "m-1"}, {"$unset": {"frozen": ""}})
        await self._set_frozen([])
        await self.b.recording.catch_up("m-1")

    async def take_in(self) -> None:
        """Take drafts into the log, as the quiet worker does: a freeze holds what is listed."""
        await self.b.intake.settle(await self._member())

    async def log(self, member_id: str = "m-1") -> list[dict[str, Any]]:
        """The live entries of a member."""
        return [entry async for entry in self._entries.find({"member_id": member_id, "deleted_at": None})]

    async def row(self, statement: dict[str, Any]) -> dict[str, Any]:
        """What the ledger says of a statement."""
        return (await self.b.stores.statements.known([statement["id"]]))[statement["id"]]

    async def told(self) -> list[str]:
        """The kinds of the events to be published, in order."""
        rows = await self.b.stores.outbox.pending(50)
        return [one["type"] for row in rows for one in row.get("block", [row])]

    async def _member(self) -> dict[str, Any]:
        found = await self.b.stores.members.get("m-1")
        assert found is not None
        return found

    async def _set_frozen(self, freezes: list[dict[str, Any]]) -> None:
        members = self.b.stores.database.collection("members")
        await members.update_one({"_id": "m-1"}, {"$set": {"frozen": freezes}, "$inc": {"version": 1}})
        await self.b.stores.members.new_epoch()

    @property
    def _entries(self) -> Any:
        return self.b.stores.database.collection("log_entries")


@pytest.fixture
async def world(settings: Settings) -> AsyncGenerator[World]:
    """Two processes over an empty store."""
    async with wiring.services(settings) as a, wiring.services(settings) as b:
        await a.stores.prepare()
        yield World(a, b)


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


def upserted(**extra: Any) -> MemberUpserted:
    """What the member feed brings of a member."""
    return MemberUpserted.model_validate({**member(), "member_id": "m-1", "revision": 5, **extra})


async def test_a_member_change_is_cut_off_before_the_log_catches_up(world: World) -> None:
    """Decision 10: its second try releases what is parked, though the member has this revision already."""
    await world.record(world.a, completed())
    before(world.b.stores.waiting, "parked_for", be_away)
    with pytest.raises(Unavailable):
        await world.b.feed.upserted(upserted())
    await world.b.feed.upserted(upserted())
    assert (len(await world.log()), await world.b.stores.waiting.count_parked()) == (1, 0)


async def test_a_member_is_erased_during_a_change_that_is_cut_off(world: World) -> None:
    """Invariant 8: its second try removes what the first wrote after the erasure."""
    await world.put()
    before(world.a.stores.members, "put", world.erase)
    before(world.a.stores.members, "new_epoch", be_away)
    with pytest.raises(Unavailable):
        await world.a.feed.upserted(upserted(name="planted"))
    await world.a.feed.upserted(upserted(name="planted"))
    assert await world.holding("planted") == {}


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
