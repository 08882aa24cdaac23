"""``make bench``: the bare loop and the real worker on the same statements, then the latency to a readable draft.

Everything stays on the loopback and ends by itself. Prints statements/s, the ratio, CPU per statement and peak memory
of the process (Linux, from /proc), and the latency from publish to a draft that can be read.
"""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import orjson

from bridge import wiring
from bridge.broker.connection import connection
from bridge.broker.publisher import Outgoing, Publisher, publisher
from bridge.domain.entries import entry_id
from bridge.services.members import MemberIn
from bridge.settings import Settings, load
from bridge.store.database import Collection
from deploy.dev.services import services
from tests.support.processes import CLI, environment_of
from tests.support.statements import completed, member
from tests.support.stream import publish

TOTAL = int(os.environ.get("BENCH_STATEMENTS", "20000"))
MEMBERS = 1000
RUNS = 3
PER_SECOND = 50
LATENCY_FOR = 20  # seconds
TICKS = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True)
class Figures:
    """What one run took: seconds of wall clock and CPU, and MiB of memory at its peak."""

    per_second: float
    cpu: float
    peak: float

    def line(self, name: str) -> str:
        """One line of the result."""
        return (
            f"{name:<12} {self.per_second:8.0f} statements/s {self.cpu * 1e6:6.0f} us CPU/statement "
            f"{self.peak:6.0f} MiB peak"
        )


def cpu_of(pid: int) -> float:
    """CPU seconds that a process has used."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


def peak_of(pid: int) -> float:
    """MiB of resident memory at a process's peak."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM")) / 1024


@asynccontextmanager
async def prepared(settings: Settings) -> AsyncGenerator[wiring.Services]:
    """Declare the queue, make the indexes and the members."""
    async with wiring.services(settings) as built, connection(settings, "bench") as opened:
        await wiring.topology(settings).declare(await opened.channel())
        await built.migrations.run()
        await asyncio.gather(
            *(
                built.members.put(f"m-{number}", MemberIn.model_validate(member(str(number))))
                for number in range(MEMBERS)
            )
        )
        yield built


async def throughput(settings: Settings, argv: list[str], collection: str, named: Callable[[str, str], str]) -> Figures:
    """Fill the queue, start the process on it, and measure from the end of its first tenth until everything is written.

    ``named`` gives the id of what is written of a member's statement. Looking on is by id: counting reads a collection
    whole, and was most of what the embedded store did here.
    """
    statements = [completed(str(number % MEMBERS), f"course/{number}") for number in range(TOTAL)]
    ids = [named(f"m-{number % MEMBERS}", one["id"]) for number, one in enumerate(statements)]
    async with prepared(settings) as built:
        written = built.stores.database.collection(collection)
        await publish(settings, [orjson.dumps(one) for one in statements])
        process = subprocess.Popen(argv, env=environment_of(settings, BRIDGE_LOG_LEVEL="warning"))
        try:
            tenth = TOTAL // 10
            await _there(written, ids[tenth - 1])
            begun, cpu = time.monotonic(), cpu_of(process.pid)
            await _there(written, ids[-1])
            took, used, done = time.monotonic() - begun, cpu_of(process.pid) - cpu, TOTAL - tenth
            while await written.estimated_document_count() < TOTAL:  # a batch beside the last may end after it
                await asyncio.sleep(0.1)
            return Figures(done / took, used / done, peak_of(process.pid))
        finally:
            process.send_signal(signal.SIGTERM)
            await asyncio.to_thread(process.wait, 60)


async def _there(written: Collection, document_id: str) -> None:
    while await written.find_one({"_id": document_id}, {"_id": 1}) is None:
        await asyncio.sleep(0.005)


async def latency(settings: Settings) -> list[float]:
    """Publish at a steady pace; milliseconds from each publish until the draft can be read."""
    async with prepared(settings) as built, publisher(settings, "bench") as out:
        process = subprocess.Popen([str(CLI), "worker"], env=environment_of(settings, BRIDGE_LOG_LEVEL="warning"))
        try:
            exchange = wiring.topology(settings).statements
            await _seen(built, {await _sent(out, exchange, -1): time.monotonic()}, 1)  # the worker is up
            waiting: dict[str, float] = {}
            total = PER_SECOND * LATENCY_FOR
            looking = asyncio.create_task(_seen(built, waiting, total))
            begun = time.monotonic()
            for number in range(total):
                await asyncio.sleep(max(0.0, begun + number / PER_SECOND - time.monotonic()))
                at = time.monotonic()
                waiting[await _sent(out, exchange, number)] = at
            return sorted(await looking)
        finally:
            process.send_signal(signal.SIGTERM)
            await asyncio.to_thread(process.wait, 60)


async def _sent(out: Publisher, exchange: str, number: int) -> str:
    """Publish a statement; returns the id that its draft will have."""
    name = str(number % MEMBERS)
    statement = completed(name, f"late/{number}/{uuid.uuid4()}")
    await out.publish([Outgoing(exchange, "statement.completed", orjson.dumps(statement))])
    return entry_id(f"m-{name}", statement["id"])


async def _seen(built: wiring.Services, waiting: dict[str, float], total: int) -> list[float]:
    """Look for what waits, all in one read as that costs little, until ``total`` were seen; milliseconds each."""
    entries = built.stores.database.collection("log_entries")
    taken: list[float] = []
    while len(taken) < total:
        rows = [row["_id"] async for row in entries.find({"_id": {"$in": list(waiting)}}, {"_id": 1})]
        now = time.monotonic()
        taken += [(now - waiting.pop(row)) * 1000 for row in rows]
        await asyncio.sleep(0.005)
    return taken


async def main() -> None:
    """Run everything and print the figures."""
    with TemporaryDirectory() as directory, services(Path(directory), private=True) as running:

        def settings(name: str) -> Settings:
            return load(
                mongo_url=running.mongo_url,
                mongo_database=f"bench_{name}",
                amqp_url=running.amqp_url,
                amqp_namespace=f"bench-{name}.",
                local_dir=Path(directory),
            )

        ratios: list[float] = []
        for number in range(RUNS):
            bare_argv = [sys.executable, "-m", "tests.benchmarks.bare_loop", str(TOTAL)]
            bare = await throughput(settings(f"bare-{number}"), bare_argv, "bare_entries", lambda _, of: of)
            real = await throughput(settings(f"real-{number}"), [str(CLI), "worker"], "log_entries", entry_id)
            ratios.append(real.per_second / bare.per_second)
            print(bare.line("bare loop"), real.line("worker"), f"ratio        {ratios[-1]:8.2f}", sep="\n", flush=True)
        times = await latency(settings("latency"))
        p50, p99 = times[len(times) // 2], times[len(times) * 99 // 100]
        print(f"latency at {PER_SECOND}/s: p50 {p50:.0f} ms, p99 {p99:.0f} ms")
        print(f"median ratio {sorted(ratios)[len(ratios) // 2]:.2f}")


if __name__ == "__main__":
    asyncio.run(main())
