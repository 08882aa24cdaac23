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
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import aiohttp
import orjson

from bridge import wiring
from bridge.broker.connection import connection
from bridge.domain.members.messages import MemberIn
from bridge.settings import Settings, load
from bridge.tokens import DEV_ISSUER, PUBLIC_NAME, dev_key
from deploy.dev.ports import free_port
from deploy.dev.processes import Process
from deploy.dev.services import services, side_by_side
from tests.soak.arrivals import Arrivals
from tests.soak.callers import Caller, Tally
from tests.soak.judgement import DRAIN_WITHIN, backlog, growth, unlike
from tests.soak.watch import Look, Watch, dispositions
from tests.support.processes import CLI, Running, environment_of, worker_process
from tests.support.statements import member

MINUTES = float(os.environ.get("SOAK_MINUTES", "5"))
RATE = float(os.environ.get("SOAK_RATE", "200"))
CALLS = float(os.environ.get("SOAK_CALLS", "20"))
MEMBERS = int(os.environ.get("SOAK_MEMBERS", "1000"))
CALLERS = int(os.environ.get("SOAK_CALLERS", "8"))


async def prepare(services: wiring.Services, settings: Settings) -> None:
    """Make the indexes, the queues and the members."""
    async with connection(settings, "soak") as broker:
        await wiring.topology(settings).declare(await broker.channel())
    await services.stores.prepare()
    for start in range(0, MEMBERS, 50):
        numbers = range(start, min(start + 50, MEMBERS))
        await asyncio.gather(
            *(services.members.put(f"m-{n}", MemberIn.model_validate(member(str(n)))) for n in numbers)
        )


async def soak(settings: Settings, urls: dict[str, str]) -> list[str]:
    """Load both processes and watch them; prints the figures, returns what is wrong."""
    tally, arrivals = Tally(), Arrivals(settings, RATE, MEMBERS)
    async with wiring.services(settings) as services, aiohttp.ClientSession() as session:
        watch = Watch(settings, services, urls, lambda: arrivals.published)
        start = time.monotonic()
        async with asyncio.TaskGroup() as group:
            tasks = [
                group.create_task(caller.run(CALLERS / CALLS)) for caller in _callers(session, settings, urls, tally)
            ]
            tasks.append(group.create_task(watch.run(session)))
            async with arrivals.probing(services):
                await arrivals.run(MINUTES * 60)
            duration = time.monotonic() - start
            for task in tasks:
                task.cancel()
        is_drained = await _drained(watch, session)
        counts = await dispositions(session, urls["worker"])
    _show(arrivals, tally, duration)
    late = (
        []
        if arrivals.published >= 0.95 * RATE * duration
        else ["the rate was not reached: this machine may be the limit"]
    )
    wrong = [f"{count} calls answered wrongly: {kind}" for kind, count in tally.wrong.items()]
    return (
        late
        + wrong
        + growth(watch.looks)
        + backlog(watch.looks, is_drained, RATE)
        + unlike(dict(arrivals.expected), counts)
    )


def _callers(
    session: aiohttp.ClientSession, settings: Settings, urls: dict[str, str], tally: Tally
) -> Iterator[Caller]:
    rng = random.Random(2)
    for number in range(CALLERS):
        yield Caller(session, settings, urls["api"], f"m-{number}", tally, rng)


def _show(arrivals: Arrivals, tally: Tally, duration: float) -> None:
    print(f"\npublished {arrivals.published} statements in {duration:.0f} s: {arrivals.published / duration:.0f}/s")
    _show_latencies({"publish to draft": arrivals.late, **tally.durations})
    calls = sum(map(len, tally.durations.values()))
    print(f"{calls} calls, {calls / duration:.1f}/s; {tally.stale} met another's change (412)")


async def _drained(watch: Watch, session: aiohttp.ClientSession) -> Look:
    deadline = time.monotonic() + DRAIN_WITHIN
    while True:
        look = await watch.look(session)
        if not (look.behind or look.outbox) or time.monotonic() > deadline:
            return look
        await asyncio.sleep(0.5)


def _show_latencies(durations: dict[str, list[float]]) -> None:
    print(f"{'milliseconds':<18}{'n':>7}{'p50':>8}{'p95':>8}{'p99':>8}{'max':>8}")
    for kind, values in durations.items():
        in_order = sorted(values)
        at = (
            [in_order[min(len(in_order) - 1, len(in_order) * part // 100)] for part in (50, 95, 99)] if in_order else []
        )
        print(f"{kind:<18}{len(in_order):>7}" + "".join(f"{value:8.0f}" for value in [*at, *in_order[-1:]]))


def complaints(logs: Path) -> list[str]:
    """Return the events of the processes' own lines of level error or worse."""
    lines = [line for file in logs.glob("*.log") for line in file.read_bytes().splitlines() if line.startswith(b"{")]
    events = [orjson.loads(line) for line in lines]
    return sorted({str(event["event"]) for event in events if event.get("level") in {"error", "critical"}})


def main() -> int:
    """Start everything, soak, stop everything."""
    with TemporaryDirectory() as name, services(Path(name), private=True) as servers:
        directory, logs = Path(name), Path(name) / "processes"
        dev_key(directory)
        port = free_port()
        settings = load(
            mongo_url=servers.mongo_url,
            amqp_url=servers.amqp_url,
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
    print("\n".join(f"WRONG: {fault}" for fault in wrong) or "Flat, no error, no backlog.", flush=True)
    return 1 if wrong else 0


async def _prepared(settings: Settings) -> None:
    async with wiring.services(settings) as services:
        await prepare(services, settings)


if __name__ == "__main__":
    sys.exit(main())
