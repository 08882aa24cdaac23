"""While the queue is quiet the worker takes drafts in, so that nobody waits for it who looks at a log."""

from __future__ import annotations

import asyncio
import contextlib

from bridge.domain.dispositions import Disposition, Outcome
from bridge.services import intake
from bridge.services.intake import Intake
from bridge.services.members import MemberIn
from bridge.settings import Settings
from consumers.quiet import QuietIntake
from consumers.session import Life
from tests.support.journey import Journey, journey
from tests.support.statements import completed, member

WRITTEN = Outcome(Disposition.RECORDED, entry_id="e-1", member_id="m-1")


async def left(running: Journey) -> int:
    """How many entries nobody has taken in."""
    return await running.services.stores.database.raw["log_entries"].count_documents({"arrived": True})


async def test_taken_in_before_anybody_looks(settings: Settings) -> None:
    """All of several members' drafts are numbered and counted soon after the last delivery, in pieces."""
    async with journey(settings, quiet=0.2) as running:
        for name in ("1001", "1002"):
            await running.services.members.put(f"m-{name}", MemberIn.model_validate(member(name)))
        number = intake.AT_ONCE + 10
        await running.settled(await running.publish([completed("1001", f"course/{n}") for n in range(number)]))
        await running.send(completed("1002"))
        async with asyncio.timeout(30):
            while await left(running):
                await asyncio.sleep(0.05)
        entries = await running.log("m-1001")
        assert {entry["reference"] for entry in entries} == {f"L{n}" for n in range(1, number + 1)}
        assert all(entry["listed"] and entry["tallied"] for entry in entries)


async def test_a_member_who_is_gone_stops_nothing(settings: Settings) -> None:
    """One whose drafts cannot be taken in is left to the next look, and the others are not."""
    async with journey(settings, quiet=0.05) as running:
        await running.services.members.put("m-1001", MemberIn.model_validate(member("1001")))
        await running.send(completed("1001"))
        quiet, life = QuietIntake(running.services.intake, 0), Life("test")
        quiet.delivered()
        quiet.settled(Outcome(Disposition.RECORDED, member_id=one) for one in ("nobody", "m-1001"))
        task = asyncio.create_task(quiet.run(life))
        async with asyncio.timeout(30):
            while await left(running):
                await asyncio.sleep(0.05)
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


class Counted(Intake):
    """Says that it was asked, and nothing more."""

    def __init__(self) -> None:
        self.asked = asyncio.Event()

    async def take_some(self, member_id: str) -> bool:
        """Note that it was asked."""
        assert member_id == WRITTEN.member_id
        self.asked.set()
        return False


async def test_deliveries_come_first() -> None:
    """Nothing is taken in while one delivery follows another, nor while one is in hand; it is once they have ceased."""
    intake = Counted()
    quiet = QuietIntake(intake, quiet=0.5)
    quiet.delivered()
    quiet.settled([WRITTEN])
    task = asyncio.create_task(quiet.run(Life("test")))
    until = asyncio.get_running_loop().time() + 1.5
    while asyncio.get_running_loop().time() < until:
        quiet.delivered()
        quiet.settled([])
        await asyncio.sleep(0.01)
        assert not intake.asked.is_set()
    quiet.delivered()
    await asyncio.sleep(1.5)
    assert not intake.asked.is_set()
    quiet.settled([])
    async with asyncio.timeout(10):
        await intake.asked.wait()
    task.cancel()
