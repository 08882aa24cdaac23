"""What is done again and again is done by one worker of several, and one chore that fails stops no other."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta

import pytest

from bridge import wiring
from bridge.errors import Unavailable
from bridge.services.operations import periodic_jobs as upkeep
from bridge.services.operations.periodic_jobs import Job, Scheduler, interval_start
from bridge.services.record import evidence
from bridge.settings import Settings
from tests.support.clamd import clamd
from tests.support.member_client import serving

AT = datetime(2026, 5, 4, 10, 30, 59, tzinfo=UTC)
MINUTE, HOUR = timedelta(minutes=1), timedelta(hours=1)


class Done:
    """Counts; and fails when told to."""

    def __init__(self, failure: Exception | None = None) -> None:
        self.times = 0
        self._failure = failure

    async def __call__(self) -> None:
        """Do it."""
        self.times += 1
        if self._failure is not None:
            raise self._failure


def test_stretches() -> None:
    """A stretch is known by its beginning, which is text in the order of time."""
    assert interval_start(AT, MINUTE) == "2026-05-04T10:30:00"
    assert interval_start(AT, HOUR) == "2026-05-04T10:00:00"
    assert interval_start(AT, HOUR) < interval_start(AT + MINUTE * 30, HOUR)


async def test_once_across_workers(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    """Several workers that look at once, and again, do each chore once in its stretch, and once more in the next."""
    often, seldom, wrong = Done(), Done(), Done(ValueError())
    clock = [AT]
    monkeypatch.setattr(upkeep, "now", lambda: clock[0])
    chores = [Job("wrong", MINUTE, wrong), Job("often", MINUTE, often), Job("seldom", HOUR, seldom)]
    async with wiring.services(settings) as services:
        workers = [Scheduler(services.stores.schedules, chores) for _ in range(3)]
        for minutes, expected in ((0, (1, 1)), (1, (2, 1)), (30, (3, 2))):
            clock[0] = AT + minutes * MINUTE
            await asyncio.gather(*[worker.run() for worker in workers])
            await workers[0].run()
            assert (often.times, seldom.times, wrong.times) == (*expected, expected[0])


async def test_an_outage_leaves_the_chore_to_do(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    """What could not be done because the store was away is another worker's once the lease has run out."""
    away, back = Done(Unavailable("away")), Done()
    clock = [AT]
    monkeypatch.setattr(upkeep, "now", lambda: clock[0])
    async with wiring.services(settings) as services:
        schedules = services.stores.schedules
        with pytest.raises(Unavailable):
            await Scheduler(schedules, [Job("chore", timedelta(days=1), away)]).run()
        second = Scheduler(schedules, [Job("chore", timedelta(days=1), back)])
        await second.run()
        assert back.times == 0
        clock[0] = AT + upkeep.LEASE
        await second.run()
        assert back.times == 1


async def test_evidence_is_seen_to(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    """The worker's chores scan what waits in quarantine, and remove what broken-off uploads left (R68)."""
    monkeypatch.setattr(evidence, "SCAN_AGAIN_AFTER", timedelta())
    monkeypatch.setattr(evidence, "GIVEN_UP_AFTER", timedelta())
    async with clamd() as scanner, serving(settings.model_copy(update={"clamd_url": scanner.url})) as me:
        scanner.mood, entry = "broken", await me.entry()
        assert (await (await me.upload(entry, "a.txt", b"hello")).json())["state"] == "quarantined"
        files = me.services.stores.evidence
        await files.begin("broken-off", me.member_id, datetime.now(UTC) - HOUR)
        scanner.mood = "well"
        await me.services.scheduler.run()
        answer = (await me.get(f"/v1/log/{entry}"))["evidence"]
        assert [(file["name"], file["state"]) for file in answer] == [("a.txt", "clean")]
        assert await files.loose_before(datetime.now(UTC), 10) == []
