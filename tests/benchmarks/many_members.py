"""What a million members cost beside ten thousand: ``python -m tests.benchmarks.many_members [MEMBERS]`` (1,000,000).

Members, their identifiers and an entry for each are put into two stores in bulk, past the services, and the worker
makes entries all over both, which warms their caches. Then a page of the log, a save, a look at a member and the
worker's rate are measured in turns, with few and with many, since a machine's speed changes; the medians are set beside
each other: 1.3 at most. On the embedded store a million take 20 to 35 minutes to put there; ``BENCH_MONGO_URL`` names a
MongoDB to use instead.
"""

from __future__ import annotations

import asyncio
import os
import random
import statistics
import sys
import time
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from deploy.dev.services import services
from tests.benchmarks.measured import Backlog, work_off
from tests.benchmarks.pages import pages
from tests.benchmarks.world import INSERTED_AT_ONCE, World, world
from tests.support.portal import full_entry, portal_over

FEW = int(os.environ.get("BENCH_FEW", "10000"))
ENTRIES = 100
"""Entries of the member whose pages are measured."""

STATEMENTS = int(os.environ.get("BENCH_STATEMENTS", "5000"))
LOOKS = 201
WARM_UP = 4 * STATEMENTS
TURNS = 3
LIMIT = 1.3


async def add_entries(bench: World, members: int) -> None:
    """Give every member an entry: copies of one that was made over HTTP."""
    async with portal_over(bench.settings) as portal:
        entry = await portal.browser("m-0", "member").post("/v1/log", full_entry())
    template = await bench.storage.log_entries.get(entry["id"])
    for start in range(1, members, INSERTED_AT_ONCE):
        numbers = range(start, min(start + INSERTED_AT_ONCE, members))
        await bench.storage.log_entries.insert_many(
            [{**template, "_id": f"e-{number}", "member_id": f"m-{number}"} for number in numbers]
        )


async def look_at_members(bench: World, members: int) -> float:
    """Return the median of milliseconds that a look at some member takes."""
    chance, times = random.Random(members), list[float]()
    async with portal_over(bench.settings) as portal:
        browser = portal.browser("platform", "platform")
        for _ in range(LOOKS):
            start = time.perf_counter()
            await browser.get(f"/v1/members/m-{chance.randrange(members)}")
            times.append((time.perf_counter() - start) * 1000)
    return statistics.median(times)


@asynccontextmanager
async def filled(amqp_url: str, directory: Path, members: int) -> AsyncGenerator[World]:
    """Make a store with members and an entry for each, written down, else that is done beside what is measured."""
    start = time.perf_counter()
    async with world(amqp_url, directory, f"members_{members}", members) as bench:
        await add_entries(bench, members)
        await bench.services.stores.database.client.admin.command("fsync")
        say(f"{members:,} members with an entry each put into the store in {time.perf_counter() - start:.0f} s")
        yield bench


async def warm_up(bench: World, members: int) -> None:
    """Let the worker make entries all over the store, so that its cache holds what it would hold after some hours."""
    figures = await work_off(bench, backlog_of(members, WARM_UP, "warm"))
    say(f"the caches of {members:,} members are warm; a statement took {1e6 / figures.per_second:.0f} us meanwhile")


def backlog_of(members: int, count: int, name: str) -> Backlog:
    """Return completions of members chosen by chance."""
    chance = random.Random(name)
    return Backlog([chance.randrange(members) for _ in range(count)], f"course/{name}")


async def measure(bench: World, members: int, turn: int) -> dict[str, float]:
    """Return what is measured, each so that less is better: milliseconds, and microseconds of a statement."""
    times = await pages(bench, ENTRIES, turn)
    figures = await work_off(bench, backlog_of(members, STATEMENTS, str(turn)))
    return {
        "a page of the log, ms": times["a page of the log"],
        "a save, ms": times["a save"],
        "a look at a member, ms": await look_at_members(bench, members),
        "a statement of the worker, us": 1e6 / figures.per_second,
    }


def compare(few: Sequence[Mapping[str, float]], many: Sequence[Mapping[str, float]]) -> None:
    """Print the medians of the turns so far, how much the one is of the other, and the last turn's."""
    for name in few[0]:
        base, figure = (statistics.median(turn[name] for turn in turns) for turns in (few, many))
        last = many[-1][name] / few[-1][name]
        say(f"{name}: {base:.1f}, {figure:.1f}: {figure / base:.2f} of it ({LIMIT} at most); last turn {last:.2f}")


def say(line: str) -> None:
    """Print a line at once."""
    print(line, flush=True)


async def main(members: int) -> None:
    """Measure with few and with many members in turns, each in a store of its own."""
    with TemporaryDirectory() as name, services(Path(name), private=True) as servers:
        directory, url = Path(name), servers.amqp_url
        async with filled(url, directory, FEW) as few, filled(url, directory, members) as many:
            say("load of the machine before: " + ", ".join(f"{load:.1f}" for load in os.getloadavg()))
            await warm_up(few, FEW)
            await warm_up(many, members)
            of_few, of_many = list[Mapping[str, float]](), list[Mapping[str, float]]()
            for turn in range(TURNS):
                of_few.append(await measure(few, FEW, turn))
                of_many.append(await measure(many, members, turn))
                compare(of_few, of_many)


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]) if sys.argv[1:] else 1_000_000))
