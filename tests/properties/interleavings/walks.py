"""Walks over a record: operations that run at once leave what they leave in some order, one after another."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import permutations
from random import Random
from typing import Any, Final

from tests.properties.interleavings.cluster import Cluster, State
from tests.properties.interleavings.comparison import Comparable, comparable, differences
from tests.properties.interleavings.interleaving import Crashed, Interleaving, Work
from tests.properties.interleavings.invariants import INVARIANTS
from tests.properties.interleavings.operations import Operation
from tests.properties.interleavings.scenes import CHOICES, SCENES, Schedule
from tests.properties.interleavings.scenes import meeting as draw_meeting
from tests.properties.interleavings.scenes import schedule as draw_schedule

Order = tuple[int, ...]
"""The numbers of operations, in the order in which they are run."""

MEETINGS_EACH: Final = 2
"""Meetings in a walk, one after another."""

SCHEDULES_EACH: Final = 2
"""Schedules by which the operations of a meeting are run."""


class NotSerializable(AssertionError):
    """What ran at once left what no order of it leaves."""


@dataclass(frozen=True)
class End:
    """What is left in the end, and what was answered to each operation."""

    contents: Comparable
    answers: Sequence[Any]

    def differences(self, serial: End) -> list[str]:
        """Say where this end differs from that of a serial order; an answer that nobody got is none."""
        pairs = zip(self.answers, serial.answers, strict=True)
        answers = [f"answered {pair}" for pair in pairs if not isinstance(pair[0], Crashed) and pair[0] != pair[1]]
        return [*differences(self.contents, serial.contents), *answers]


@dataclass(frozen=True)
class Walks:
    """Walks from scenes: operations run at once, and others where those have led."""

    cluster: Cluster
    scenes: dict[str, State] = field(default_factory=dict[str, State])

    async def walk(self, chance: Random) -> None:
        """Run operations at once, each by several schedules; raises ``AssertionError`` for a fault."""
        name = chance.choice(CHOICES)
        await self._begin(name)
        for _ in range(MEETINGS_EACH):
            meeting = Meeting(self.cluster, draw_meeting(SCENES[name], chance))
            for _ in range(SCHEDULES_EACH):
                await meeting.check(draw_schedule(chance))

    async def _begin(self, name: str) -> None:
        if name not in self.scenes:
            self.scenes[name] = await self.cluster.begin(SCENES[name].before)
        await self.cluster.restore(self.scenes[name])


class Meeting:
    """Operations that meet, from the state in which the cluster is; the ends of serial orders are run once each."""

    def __init__(self, cluster: Cluster, operations: Sequence[Operation]) -> None:
        self._cluster = cluster
        self._operations = operations
        self._before = cluster.state
        self._serial: dict[Order, End] = {}

    async def check(self, schedule: Schedule) -> None:
        """Run the operations by a schedule; raises ``AssertionError`` when the record is not right afterwards.

        ``NotSerializable``, which is one, when it is not as after any order of them. Orders that were run already are
        tried first, then the one in which the processes committed: these explain nearly every end.
        """
        crash_after = schedule.crash_after if self._operations[0].comes_again else None
        interleaving = Interleaving(schedule.switches, crash_after)
        end = await self._at_once(interleaving)
        for holds in INVARIANTS:
            holds(self._cluster.state.contents)
        committed = tuple(interleaving.order)
        for order in [*self._serial, committed, *permutations(committed)]:
            if order not in self._serial:
                self._serial[order] = await self._one_by_one(order)
            if not end.differences(self._serial[order]):
                return
        differences = "\n".join(end.differences(self._serial[committed]))
        raise NotSerializable(f"{self._operations} by {schedule} left, against the order {committed}:\n{differences}")

    async def _at_once(self, interleaving: Interleaving) -> End:
        await self._cluster.restore(self._before)
        return await self._end(await interleaving.run([self._work(number) for number in range(len(self._operations))]))

    async def _one_by_one(self, order: Order) -> End:
        await self._cluster.restore(self._before)
        answers = {number: await self._work(number)() for number in order}
        return await self._end([answers[number] for number in sorted(answers)])

    def _work(self, number: int) -> Work:
        return lambda: self._cluster.answer(self._operations[number], process=number)

    async def _end(self, answers: Sequence[Any]) -> End:
        """Return what is left once nothing is to be done; what a crashed process did not acknowledge comes again."""
        for operation, answer in zip(self._operations, answers, strict=True):
            if isinstance(answer, Crashed):
                await self._cluster.answer(operation)
            elif isinstance(answer, BaseException):
                raise answer
        state = await self._cluster.finish()
        return End(comparable(state.contents), answers)
