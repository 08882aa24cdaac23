"""``make bench``: what starting costs, the worker beside the floor, and what people wait for.

``python -m tests.benchmarks saves`` measures one of them alone.

Everything stays on the loopback and ends by itself; each figure has a store of its own, so that none meets what another
left. ``BENCH_STATEMENTS`` is the length of the backlog (20,000), ``BENCH_MONGO_URL`` a MongoDB to use instead of the
embedded one. CPU and memory are the process's own (Linux, from /proc).
"""

from __future__ import annotations

import asyncio
import os
import random
import statistics
import sys
from collections.abc import Awaitable, Callable, Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

from deploy.dev.services import services
from tests.benchmarks.latency import latency
from tests.benchmarks.measured import WORKER, Backlog, Figures, work_off
from tests.benchmarks.pages import pages
from tests.benchmarks.saves import saves
from tests.benchmarks.starts import COMMANDS, command_cpu, ready_cpu
from tests.benchmarks.world import world

TOTAL = int(os.environ.get("BENCH_STATEMENTS", "20000"))
RUNS = 3
FLOOR = (sys.executable, "-m", "tests.benchmarks.floor")


async def floor(amqp_url: str, directory: Path) -> None:
    """Print how the worker does beside the same writes without rules, in turns."""
    backlog = Backlog([number % 1000 for number in range(TOTAL)])
    pairs: list[tuple[Figures, Figures]] = []
    for number in range(RUNS):
        async with world(amqp_url, directory, f"floor_{number}", 1000) as bench:
            beside = await work_off(bench, backlog, FLOOR)
        async with world(amqp_url, directory, f"worker_{number}", 1000) as bench:
            figures = await work_off(bench, backlog)
        pairs.append((figures, beside))
        _say(beside.line("floor"), figures.line("worker"))
    speed = statistics.median(figures.per_second / beside.per_second for figures, beside in pairs)
    cpu = statistics.median(figures.cpu / beside.cpu for figures, beside in pairs)
    _say(f"worker / floor, median of {RUNS}: speed {speed:.2f} (wanted 0.8 at least), CPU {cpu:.2f} (1.6 at most)")


async def to_readable(amqp_url: str, directory: Path) -> None:
    """Print how long a completion takes from being published to being readable."""
    async with world(amqp_url, directory, "latency", 1000) as bench:
        times = await latency(bench, per_second=50, seconds=20)
    _say(f"publish to readable at 50/s: {_percentiles(times)} (p99: 100 at most)")


async def people(amqp_url: str, directory: Path) -> None:
    """Print how long saves take while completions of the same members are being written."""
    async with world(amqp_url, directory, "saves", 10_000) as bench:
        timings = await saves(bench, Backlog([number % 10_000 for number in range(TOTAL)]), rounds=60)
    _say(
        f"{len(timings.times)} saves under a backlog over 10,000 members: {timings.failed} failed (0), "
        f"{_percentiles(timings.times)} (p99: 1000 at most); "
        f"conflicts: {timings.api_conflicts:.0f} of the API, {timings.worker_conflicts:.0f} of the worker"
    )


async def workers(amqp_url: str, directory: Path) -> None:
    """Print how several workers on one queue do beside one."""
    for members, least_shares in ((100_000, {2: 0.85, 4: 0.85}), (2_000, {2: 0.7})):
        chance = random.Random(members)
        backlog = Backlog([chance.randrange(members) for _ in range(20_000)])
        single = 1.0
        for count in (1, *least_shares):
            async with world(amqp_url, directory, f"workers_{members}_{count}", members) as bench:
                figures = await work_off(bench, backlog, WORKER, count)
            single = figures.per_second if count == 1 else single
            share = f"{figures.per_second / single:.2f} of one (wanted {least_shares[count]})" if count > 1 else ""
            _say(figures.line(f"{count} worker{'s' * (count > 1)} over {members:,} members"), share)


async def shares(amqp_url: str, directory: Path) -> None:
    """Print how two workers do that have a queue each, split by member, beside one worker on one queue."""
    chance = random.Random(2)
    backlog = Backlog([chance.randrange(2_000) for _ in range(TOTAL)])
    for queues in ((), ("cpd.completions.1", "cpd.completions.2")):
        async with world(amqp_url, directory, f"shares_{len(queues)}", 2_000) as bench:
            figures = await work_off(bench, backlog, WORKER, max(1, len(queues)), queues)
        _say(figures.line(f"{len(queues) or 1} queue{'s' * (len(queues) > 1)}, a worker each, over 2,000 members"))


async def portal(amqp_url: str, directory: Path) -> None:
    """Print what calls of the portal take with a long log, nothing else running."""
    for number, limit in ((100, 25), (1000, 120)):
        async with world(amqp_url, directory, f"pages_{number}", 1) as bench:
            times = await pages(bench, number)
        summary = ", ".join(f"{name} {milliseconds:.0f} ms" for name, milliseconds in times.items())
        _say(f"{number} entries in the current period, p50 ({limit} at most): {summary}")


async def starts(amqp_url: str, directory: Path) -> None:
    """Print the CPU seconds that commands take, and that ``api`` and ``worker`` take until they are ready."""
    for arguments in COMMANDS:
        _say(f"cpd-bridge {arguments[0]}: {command_cpu(arguments, directory):.2f} s of CPU (0.6 at most)")
    async with world(amqp_url, directory, "starts", 1) as bench:
        for command in ("api", "worker"):
            _say(f"cpd-bridge {command} until ready: {await ready_cpu(bench, command):.2f} s of CPU (3 at most)")


PARTS: Mapping[str, Callable[[str, Path], Awaitable[None]]] = {
    "starts": starts,
    "floor": floor,
    "latency": to_readable,
    "saves": people,
    "workers": workers,
    "shares": shares,
    "portal": portal,
}


def _percentiles(times: Sequence[float]) -> str:
    in_order = sorted(times)
    return f"p50 {in_order[len(in_order) // 2]:.0f} ms, p99 {in_order[len(in_order) * 99 // 100]:.0f} ms"


def _say(*lines: str) -> None:
    print(*[line for line in lines if line], sep="\n", flush=True)


async def main(names: Sequence[str]) -> None:
    """Measure the parts that are named, or all."""
    load = ", ".join(f"{load:.1f}" for load in os.getloadavg())
    _say(f"load of the machine before: {load}")
    with TemporaryDirectory() as directory, services(Path(directory), private=True) as servers:
        for name in names or PARTS:
            await PARTS[name](servers.amqp_url, Path(directory))


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1:]))
