"""In whatever order statements, repeats, voidings, member updates, edits and freezes come, the record stays right.

A Hypothesis state machine over the recording service on the real store (invariants 1, 2, 4 and 8 in its reach).
"""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Coroutine
from datetime import UTC, datetime
from typing import Any, TypeVar

import orjson
from hypothesis import HealthCheck, settings, strategies
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test

from bridge import wiring
from bridge.domain.members.members import calendar_of
from bridge.domain.members.messages import MemberIn
from bridge.domain.statements.dispositions import Disposition
from bridge.domain.statements.ledger import arrival
from bridge.settings import Settings, load
from deploy.dev.services import DevServices
from tests.support.searches import examples
from tests.support.statements import completed, member, voided
from tests.support.storage import storage

R = TypeVar("R")
NAMES = ["ann", "ben"]
RENEWALS = ["2026-04-01", "2026-05-05", "2024-02-29"]
DAYS = ["2026-05-04", "2026-05-05", "2026-03-31"]
names, days = strategies.sampled_from(NAMES), strategies.sampled_from(DAYS)
numbers = strategies.integers(0, 30)


class Arrivals(RuleBasedStateMachine):
    """Two people, few activities and days, so that everything meets everything."""

    services: wiring.Services
    loop: asyncio.AbstractEventLoop

    def __init__(self) -> None:
        super().__init__()
        self.run(self._empty())
        self.statements: dict[str, dict[str, Any]] = {}
        self.voidings: dict[str, str] = {}
        self.member_ids: set[str] = set()
        self.edits: set[str] = set()
        self.snapshots: dict[str, list[dict[str, Any]]] = {}

    def run(self, work: Coroutine[Any, Any, R]) -> R:
        """Wait for a coroutine, in this machine's loop."""
        return self.loop.run_until_complete(work)

    async def _empty(self) -> None:
        rows = storage(self.services)
        for name in set(await rows.names()) - {"meta"}:  # the key of tombstones stays
            await rows.rows(name).delete()

    async def _record(self, *statements: dict[str, Any]) -> list[Disposition]:
        rules = self.services.recording.rules
        now = datetime.now(UTC)
        arrivals = [arrival(statement, orjson.dumps(statement), now, rules) for statement in statements]
        return [outcome.disposition for outcome in await self.services.recording.record(arrivals)]

    async def _all(self, name: str) -> list[dict[str, Any]]:
        return await storage(self.services).log_entries.all({"member_id": name})

    @rule(name=names, number=strategies.integers(0, 2), day=days, registered=strategies.booleans())
    def complete(self, name: str, number: int, day: str, registered: bool) -> None:
        """Somebody completes something."""
        context = {"registration": str(uuid.UUID(int=number + 1, version=4))} if registered else {}
        statement = completed(name, f"course/{number}", at=f"{day}T10:00:00Z", context=context)
        self.statements[statement["id"]] = statement
        self.run(self._record(statement))

    @rule(name=names, day=days)
    def complete_many(self, name: str, day: str) -> None:
        """A batch that meets itself comes."""
        batch = [completed(name, f"course/{number % 2}", at=f"{day}T10:00:00Z") for number in range(4)]
        self.statements.update({statement["id"]: statement for statement in batch})
        self.run(self._record(*batch, batch[0]))

    @rule(number=numbers)
    def repeat(self, number: int) -> None:
        """A statement comes again: nothing changes."""
        if not self.statements:
            return
        statement = list(self.statements.values())[number % len(self.statements)]
        before = [self.run(self._all(name)) for name in NAMES]
        assert self.run(self._record(statement)) == [Disposition.DUPLICATE]
        assert [self.run(self._all(name)) for name in NAMES] == before

    @rule(number=numbers)
    def void(self, number: int) -> None:
        """A statement is voided."""
        if self.statements:
            self._void(list(self.statements)[number % len(self.statements)])

    @rule(name=names, number=strategies.integers(0, 2), day=days)
    def void_beforehand(self, name: str, number: int, day: str) -> None:
        """A voiding comes before what it voids."""
        statement = completed(name, f"course/{number}", at=f"{day}T10:00:00Z")
        self._void(statement["id"])
        self.statements[statement["id"]] = statement
        assert self.run(self._record(statement)) == [Disposition.WITHDRAWN]

    def _void(self, statement_id: str) -> None:
        voiding = voided(statement_id)
        self.voidings[statement_id] = voiding["id"]
        self.run(self._record(voiding))

    @rule(name=names, renewal=strategies.sampled_from(RENEWALS))
    def update_member(self, name: str, renewal: str) -> None:
        """The membership system brings a member, or another renewal date."""
        self.member_ids.add(name)
        body = MemberIn.model_validate(member(name, renewal_date=renewal))
        self.run(self.services.members.put(name, body))

    @rule(name=names, number=numbers)
    def edit(self, name: str, number: int) -> None:
        """A member touches an entry that is neither gone nor frozen."""
        entries = [
            entry for entry in self.run(self._all(name)) if not entry.get("deleted_at") and not entry.get("frozen")
        ]
        if entries:
            entry = entries[number % len(entries)]
            self.edits.add(entry["_id"])
            self.run(self._set(entry["_id"], {"touched_at": datetime.now(UTC), "learning": "Much."}))

    async def _set(self, entry_id: str, fields: dict[str, Any]) -> None:
        await storage(self.services).log_entries.set({"_id": entry_id}, **fields)

    @rule(name=names, day=days)
    def freeze(self, name: str, day: str) -> None:
        """The period of a day is frozen for the Register Audit, as a submission freezes it."""
        if name in self.member_ids and name not in self.snapshots:
            self.run(self._freeze(name, day))

    async def _freeze(self, name: str, day: str) -> None:
        stores = self.services.stores
        stored = await stores.members.get(name)
        assert stored is not None
        period = calendar_of(stored).period_for(datetime.fromisoformat(day).date())
        mark = {"case_id": f"case-{name}", "period_id": period.id, "since": datetime.now(UTC)}
        freeze = {**mark, "start": period.start.isoformat(), "end": period.end.isoformat()}
        rows = storage(self.services)
        await rows.log_entries.set({"member_id": name, "period_id": period.id}, frozen=mark)
        await rows.members.set({"_id": name}, frozen=[freeze], in_audit=[freeze])
        await rows.members.bump({"_id": name})
        self.snapshots[name] = [entry for entry in await self._all(name) if entry.get("frozen")]

    @rule(name=names)
    def thaw(self, name: str) -> None:
        """The freeze ends, and what waited goes on."""
        if self.snapshots.pop(name, None) is not None:
            self.run(self._thaw(name))

    async def _thaw(self, name: str) -> None:
        stores = self.services.stores
        rows = storage(self.services)
        await rows.log_entries.unset({"member_id": name}, "frozen")
        await rows.members.set({"_id": name}, frozen=[], in_audit=[])
        await rows.members.bump({"_id": name})
        at = datetime.now(UTC)
        await stores.database.transaction(lambda session: stores.follow_ups.add(name, at, session, refile=True))
        await self.services.follow_ups.run(name)

    @invariant()
    def nothing_frozen_changes(self) -> None:
        """Invariant 4: what was frozen is as it was."""
        for name, snapshot in self.snapshots.items():
            assert [entry for entry in self.run(self._all(name)) if entry.get("frozen")] == snapshot

    @invariant()
    def each_statement_is_in_one_place(self) -> None:
        """Invariants 1 and 2: one disposition each, and an entry holds it exactly when that says so."""
        rows = self.run(self.services.stores.lrs_ledger.rows_of([*self.statements, *self.voidings.values()]))
        entries = [entry for name in NAMES for entry in self.run(self._all(name))]
        for statement_id in self.statements:
            holders = [entry for entry in entries if statement_id in entry["provenance"]["statement_ids"]]
            disposition = Disposition(rows[statement_id].get("disposition", ""))
            if disposition in (Disposition.RECORDED, Disposition.MERGED):
                assert [entry["_id"] for entry in holders] == [rows[statement_id].get("entry_id")]
            elif disposition in (Disposition.PARKED, Disposition.HELD):
                assert holders == []
            else:
                assert disposition is Disposition.WITHDRAWN
                assert statement_id in self.voidings
                assert all(entry.get("withdrawn_at") for entry in holders)

    @invariant()
    def what_waits_has_a_reason(self) -> None:
        """Decisions 4 and 10: parked while the actor is unknown, held while the period is frozen."""
        rows = self.run(self.services.stores.lrs_ledger.rows_of(self.statements))
        for statement_id, statement in self.statements.items():
            name = statement["actor"]["account"]["name"]
            disposition = rows[statement_id].get("disposition")
            assert (disposition == "parked") <= (name not in self.member_ids)
            assert (disposition == "held") <= (name in self.snapshots)

    @invariant()
    def no_two_entries_share_a_key(self) -> None:
        """Decision 7: the same activity and day, or registration, is one entry, in its right period."""
        for name in NAMES:
            entries = self.run(self._all(name))
            keys = [key for entry in entries for key in entry.get("merge_keys", ())]
            assert len(keys) == len(set(keys))
            stored = self.run(self.services.stores.members.get(name))
            for entry in entries:
                if stored and not entry.get("frozen") and entry.get("date"):
                    day = datetime.fromisoformat(entry["date"]).date()
                    assert entry["period_id"] == calendar_of(stored).period_for(day).id

    @invariant()
    def a_voided_statement_leaves_no_untouched_draft(self) -> None:
        """Decision 8: an untouched draft that only voided statements stand behind is gone, a touched one is flagged."""
        for name in NAMES:
            if name in self.snapshots:
                continue
            for entry in self.run(self._all(name)):
                behind = entry["provenance"]["statement_ids"]
                if entry.get("deleted_at") or not set(behind) <= self.voidings.keys():
                    continue
                assert entry["provenance"].get("voided") is True
                assert entry["_id"] in self.edits or len(behind) > 1


def test_the_record_is_right_in_any_order(dev_services: DevServices) -> None:
    """Whatever order things come in, every statement ends in one place and frozen entries stay as they were."""
    test_settings: Settings = load(mongo_url=dev_services.mongo_url, mongo_database=f"t_{uuid.uuid4().hex[:12]}")
    with asyncio.Runner() as runner:
        loop = runner.get_loop()
        Arrivals.loop = loop
        services = wiring.services(test_settings)
        Arrivals.services = loop.run_until_complete(services.__aenter__())
        try:
            loop.run_until_complete(Arrivals.services.stores.prepare())
            run_state_machine_as_test(  # pyright: ignore[reportUnknownMemberType] - untyped in hypothesis
                Arrivals,
                settings=settings(
                    max_examples=examples(15, 40),
                    stateful_step_count=25,
                    deadline=None,
                    suppress_health_check=[HealthCheck.too_slow],
                ),
            )
        finally:
            loop.run_until_complete(
                Arrivals.services.stores.database.client.drop_database(test_settings.mongo_database)
            )
            loop.run_until_complete(services.__aexit__(None, None, None))
