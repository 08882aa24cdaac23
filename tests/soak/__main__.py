"""Runs the soak and judges it: exit code 0 when memory, errors and backlog are as they should be.

Two hours at 200 statements/s are 1.44 million; the default is five minutes of the same load, in which a leak shows as a
slope. ``SOAK_MINUTES=120`` is the long form. Settings: ``SOAK_MINUTES`` (5), ``SOAK_RATE`` statements/s (200),
``SOAK_CALLS`` API calls/s (20), ``SOAK_MEMBERS`` (1000), ``SOAK_CALLERS`` (8). Everything stays on the loopback and
ends with it.
"""

from __future__ import annotations

import asyncio
import os
import random
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory

import aiohttp
import orjson

from bridge import wiring
from bridge.broker.connection import connection
from bridge.services.members import MemberIn
from bridge.settings import Settings, load
from bridge.tokens import DEV_ISSUER, PUBLIC_NAME, dev_key
from deploy.dev.ports import free_port
from deploy.dev.processes import Process
from deploy.dev.services import services, side_by_side
from tests.soak.arrivals import Arrivals
from tests.soak.callers import Caller, Tally
from tests.soak.watch import FILES, GROWTH, Look, Watch, dispositions, quarters, slope
from tests.support.processes import CLI, Running, environment_of, worker_process
from tests.support.statements import member

MINUTES = float(os.environ.get("SOAK_MINUTES", "5"))
RATE = float(os.environ.get("SOAK_RATE", "200"))
CALLS = float(os.environ.get("SOAK_CALLS", "20"))
MEMBERS = int(os.environ.get("SOAK_MEMBERS", "1000"))
CALLERS = int(os.environ.get("SOAK_CALLERS", "8"))

DRAIN_WITHIN = 60.0
"""Seconds after the last statement until nothing waits."""

BEHIND = 10.0
"""Seconds' worth of statements that may wait at any time in the second half."""


async def prepare(built: wiring.Services, settings: Settings) -> None:
    """Make the indexes, the queues and the members."""
    async with connection(settings, "soak") as opened:
        await wiring.topology(settings).declare(await opened.channel())
    await built.stores.prepare()
    for start in range(0, MEMBERS, 50):
        numbers = range(start, min(start + 50, MEMBERS))
        await asyncio.gather(*(built.members.put(f"m-{n}", MemberIn.model_validate(member(str(n)))) for n in numbers))


async def soak(settings: Settings, urls: dict[str, str]) -> list[str]:
    """Load both processes and watch them; prints the figures, returns what is wrong."""
    tally, arrivals = Tally(), Arrivals(settings, RATE, MEMBERS)
    async with wiring.services(settings) as built, aiohttp.ClientSession() as session:
        watch = Watch(settings, built, urls, lambda: arrivals.published)
        rng = random.Random(2)
        callers = [Caller(session, settings, urls["api"], f"m-{number}", tally, rng) for number in range(CALLERS)]
        begun = time.monotonic()
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(caller.run(CALLERS / CALLS)) for caller in callers]
            tasks.append(group.create_task(watch.run(session)))
            async with arrivals.probing(built):
                await arrivals.run(MINUTES * 60)
            took = time.monotonic() - begun
            for task in tasks:
                task.cancel()
        drained = await _drained(watch, session)
        settled = await dispositions(session, urls["worker"])
    print(f"\npublished {arrivals.published} statements in {took:.0f} s: {arrivals.published / took:.0f}/s")
    _show_latencies({"publish to draft": arrivals.late, **tally.took})
    calls = sum(map(len, tally.took.values()))
    print(f"{calls} calls, {calls / took:.1f}/s; {tally.stale} met another's change (412)")
    wrong = [f"{count} calls answered wrongly: {kind}" for kind, count in tally.wrong.items()]
    wrong += _growth(watch.looks) + _backlog(watch.looks, drained)
    if arrivals.published < 0.95 * RATE * took:
        wrong.append("the rate was not reached: this machine, not the service, may be the limit")
    return wrong + _unlike(dict(arrivals.expected), settled)


async def _drained(watch: Watch, session: aiohttp.ClientSession) -> Look:
    deadline = time.monotonic() + DRAIN_WITHIN
    while True:
        look = await watch.look(session)
        if not (look.behind or look.outbox) or time.monotonic() > deadline:
            return look
        await asyncio.sleep(0.5)


def _show_latencies(took: dict[str, list[float]]) -> None:
    print(f"{'milliseconds':<18}{'n':>7}{'p50':>8}{'p95':>8}{'p99':>8}{'max':>8}")
    for kind, values in took.items():
        ordered = sorted(values)
        at = [ordered[min(len(ordered) - 1, len(ordered) * part // 100)] for part in (50, 95, 99)] if ordered else []
        print(f"{kind:<18}{len(ordered):>7}" + "".join(f"{value:8.0f}" for value in [*at, *ordered[-1:]]))


def _growth(looks: list[Look]) -> list[str]:
    wrong: list[str] = []
    for name in looks[0].memory:
        steady = looks[len(looks) // 4 :]
        hourly = 3600 * slope([(look.at, look.memory[name]) for look in steady])
        before, after = quarters([look.memory[name] for look in looks])
        opened = quarters([look.files[name] for look in looks])
        busy = (looks[-1].cpu[name] - looks[0].cpu[name]) / (looks[-1].at - looks[0].at)
        print(
            f"{name:<8} {before:6.1f} -> {after:6.1f} MiB (slope {hourly:+.1f} MiB/h), "
            f"open files {opened[0]:.0f} -> {opened[1]:.0f}, {busy:.0%} of a core"
        )
        if after - before > GROWTH:
            wrong.append(f"{name} grew by {after - before:.0f} MiB")
        if opened[1] - opened[0] > FILES:
            wrong.append(f"{name} holds {opened[1] - opened[0]:.0f} more files open")
    return wrong


def _backlog(looks: list[Look], last: Look) -> list[str]:
    most = max(look.behind for look in looks[len(looks) // 2 :])
    print(f"behind by at most {most} in the second half; at the end by {last.behind}, {last.outbox} in the outbox")
    wrong = [f"{most} statements waited at once"] if most > BEHIND * RATE else []
    if last.behind or last.outbox:
        wrong.append(f"{last.behind} statements and {last.outbox} events were left {DRAIN_WITHIN:.0f} s after the last")
    return wrong + ([f"{last.dead} dead letters"] if last.dead else [])


def _unlike(expected: dict[str, int], settled: dict[str, int]) -> list[str]:
    """Say when the dispositions are not those foretold; what was recorded before it was voided counts as withdrawn."""
    print(f"dispositions: {settled}")

    def joined(counts: dict[str, int]) -> dict[str, int]:
        together = counts.get("recorded", 0) + counts.get("withdrawn", 0)
        return {**{name: count for name, count in counts.items() if count}, "recorded": together, "withdrawn": together}

    return [] if joined(settled) == joined(expected) else [f"dispositions are not those expected: {expected}"]


def complaints(logs: Path) -> list[str]:
    """Return the events of the processes' own lines of level error or worse."""
    lines = [line for file in logs.glob("*.log") for line in file.read_bytes().splitlines() if line.startswith(b"{")]
    told = [orjson.loads(line) for line in lines]
    return sorted({str(one["event"]) for one in told if one.get("level") in {"error", "critical"}})


def main() -> int:
    """Start everything, soak, stop everything."""
    with TemporaryDirectory() as name, services(Path(name), private=True) as running:
        directory, logs = Path(name), Path(name) / "processes"
        dev_key(directory)
        port = free_port()
        settings = load(
            mongo_url=running.mongo_url,
            amqp_url=running.amqp_url,
            auth_issuer=DEV_ISSUER,
            auth_key_file=directory / PUBLIC_NAME,
            local_dir=directory,
            http_port=port,
            log_level="warning",
        )
        print(f"{RATE:.0f} statements/s and {CALLS:.0f} calls/s for {MINUTES:g} minutes; {MEMBERS} members", flush=True)
        asyncio.run(_prepared(settings))
        api = Running(Process("api", [CLI, "api"], logs / "api.log", environment_of(settings), grace=30), port)
        worker = worker_process(settings, logs)
        try:
            side_by_side(api.start, worker.start)
            urls = {"api": f"http://127.0.0.1:{port}", "worker": f"http://127.0.0.1:{worker.port}"}
            wrong = asyncio.run(soak(settings, urls))
        finally:
            side_by_side(api.stop, worker.stop)
        wrong += [f"logged as an error: {event}" for event in complaints(logs)]
    print("\n".join(f"WRONG: {one}" for one in wrong) or "Flat, no error, no backlog.", flush=True)
    return 1 if wrong else 0


async def _prepared(settings: Settings) -> None:
    async with wiring.services(settings) as built:
        await prepare(built, settings)


if __name__ == "__main__":
    sys.exit(main())
