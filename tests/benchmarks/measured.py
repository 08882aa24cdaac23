"""A backlog worked off by processes under measurement: how fast, with how much CPU and memory of their own."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import time
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import orjson

from bridge.domain.record.entries import entry_id
from bridge.settings import PREFIX
from deploy.dev.ports import free_port
from tests.benchmarks.split import publish_by_member, split
from tests.benchmarks.world import World
from tests.support.processes import CLI, environment_of
from tests.support.scrape import scrape
from tests.support.statements import completed
from tests.support.stream import publish

TICKS = os.sysconf("SC_CLK_TCK")
LOOK_EVERY = 0.02  # seconds; each look costs the store a fraction of a millisecond
WORKER = (str(CLI), "worker")


@dataclass(frozen=True)
class Child:
    """A process, with the port of its metrics."""

    process: subprocess.Popen[bytes]
    port: int

    @property
    def cpu(self) -> float:
        """CPU seconds that it has used."""
        fields = Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / TICKS

    def memory(self, name: str = "VmRSS") -> float:
        """MiB of resident memory: now, or at its peak (``VmHWM``)."""
        lines = Path(f"/proc/{self.process.pid}/status").read_text().splitlines()
        return next(int(line.split()[1]) for line in lines if line.startswith(name)) / 1024

    async def conflicts(self) -> float:
        """How many transactions were run again because another one changed the same documents."""
        return (await scrape(self.port)).value("cpd_bridge_store_conflicts_total") or 0.0


@asynccontextmanager
async def children(
    world: World, argv: Sequence[str], count: int = 1, queues: Sequence[str] = ()
) -> AsyncGenerator[list[Child]]:
    """Run processes meanwhile, each on a queue of its own when ``queues`` has some; SIGTERM ends them."""
    processes: list[Child] = []
    try:
        for number in range(count):
            port = free_port()
            extra = {"LOG_LEVEL": "warning", "METRICS_PORT": str(port)}
            if queues:
                extra |= {"COMPLETIONS_QUEUE": queues[number], "AMQP_DECLARE": "false"}
            environment = environment_of(world.settings, **{f"{PREFIX}{name}": text for name, text in extra.items()})
            processes.append(Child(subprocess.Popen(argv, env=environment), port))
        yield processes
    finally:
        for child in processes:
            child.process.send_signal(signal.SIGTERM)
        for child in processes:
            await asyncio.to_thread(child.process.wait, 60)


@dataclass(frozen=True)
class Backlog:
    """Statements in the order they are queued, each with the number of its member and of an activity of its own."""

    members: Sequence[int]
    activities: str = "course"  # what the names of the activities begin with: another backlog has others
    statements: list[bytes] = field(init=False)
    ids: list[str] = field(init=False)

    def __post_init__(self) -> None:
        bodies = [completed(str(member), f"{self.activities}/{number}") for number, member in enumerate(self.members)]
        object.__setattr__(self, "statements", [orjson.dumps(statement) for statement in bodies])
        object.__setattr__(self, "ids", [statement["id"] for statement in bodies])

    def entry_ids(self) -> list[str]:
        """The ids of the drafts that the worker makes, in the same order."""
        return [entry_id(f"m-{member}", of) for member, of in zip(self.members, self.ids, strict=True)]


async def written(world: World, entry_ids: Sequence[str], interval: float = LOOK_EVERY) -> None:
    """Wait until all of these are in the log; looking is by id, since counting reads a whole collection."""
    missing: list[str] = list(entry_ids)
    while missing:
        written_ids: set[str] = set(await world.storage.log_entries.ids({"_id": {"$in": missing[:100]}}))
        missing = [key for key in missing if key not in written_ids]
        if not written_ids:
            await asyncio.sleep(interval)


@dataclass(frozen=True)
class Figures:
    """What working off a backlog took."""

    per_second: float
    cpu: float
    memory: tuple[float, float, float]
    conflicts: float

    def line(self, name: str) -> str:
        """One line of the result."""
        first, last, peak = self.memory
        return (
            f"{name:<10} {self.per_second:6.0f} statements/s  {self.cpu * 1e6:4.0f} us CPU/statement  memory "
            f"{first:.0f} MiB after a tenth, {last:.0f} at the end, {peak:.0f} at most  {self.conflicts:.0f} conflicts"
        )


async def work_off(
    world: World, backlog: Backlog, argv: Sequence[str] = WORKER, count: int = 1, queues: Sequence[str] = ()
) -> Figures:
    """Queue a backlog, start ``count`` processes on it, and measure from the end of its first tenth.

    Throughput goes until everything is written, CPU until every event is published as well. The worker names an entry
    by member and statement, any other process by the statement.
    """
    ids = backlog.entry_ids() if tuple(argv) == WORKER else backlog.ids
    total, tenth, last = len(ids), len(ids) // 10, 2 * world.settings.batch_size * count
    if queues:
        await split(world.settings, queues)
        await publish_by_member(world.settings, backlog.members, backlog.statements)
    else:
        await publish(world.settings, backlog.statements)
    async with children(world, argv, count, queues) as processes:
        await written(world, ids[tenth - 1 : tenth])
        start, cpu, memory = time.monotonic(), sum(child.cpu for child in processes), _memory(processes)
        await written(world, ids[-1:])
        await written(world, ids[-last:])  # batches beside the last one may end after it
        duration = time.monotonic() - start
        while await world.storage.outbox.has():
            await asyncio.sleep(LOOK_EVERY)
        cpu_used = sum(child.cpu for child in processes) - cpu
        conflicts = sum([await child.conflicts() for child in processes]) if tuple(argv) == WORKER else 0.0
        figures = (memory, _memory(processes), _memory(processes, "VmHWM"))
        return Figures((total - tenth) / duration, cpu_used / (total - tenth), figures, conflicts)


def _memory(processes: Sequence[Child], name: str = "VmRSS") -> float:
    return max(child.memory(name) for child in processes)
