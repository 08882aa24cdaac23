"""How long ``cpd-bridge members import`` takes: ``python -m tests.benchmarks.member_import [MEMBERS]`` (50,000).

The same file three times: new; the same; and with 100 bad rows, of which nothing may be written. Each member has an
account and an mbox. ``BENCH_MONGO_URL`` names a MongoDB to use instead of an embedded one.
"""

from __future__ import annotations

import asyncio
import os
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import orjson

from bridge import wiring
from bridge.settings import Settings, load
from tests.benchmarks.world import a_store
from tests.support.commands import run
from tests.support.statements import account, member
from tests.support.storage import storage

BAD_ROWS = 100
BAD = {"renewal_date": "soon"}


def brought(number: int) -> dict[str, Any]:
    """A member as the membership system has them."""
    identifiers = [account(str(number)), {"mbox": f"mailto:member.{number}@example.org"}]
    return {**member(registered_since="2021-06-01", identifiers=identifiers), "member_id": f"m-{number}"}


async def timed_import(settings: Settings, path: Path, rows: list[dict[str, Any]]) -> tuple[str, int, float]:
    """Import members; returns the report, the number of faults and the seconds."""
    path.write_bytes(b"\n".join(map(orjson.dumps, rows)))  # noqa: ASYNC240 - nothing else runs here
    start = time.perf_counter()
    _, out, err = await run(settings, "members", "import", str(path))
    return out.strip() or err.splitlines()[-1], err.count("\nRow "), time.perf_counter() - start


async def measure(settings: Settings, directory: Path, number: int) -> None:
    """Print what each import did and how long it took."""
    rows = [brought(row) for row in range(number)]
    interval = number // BAD_ROWS
    bad_rows = [{**row, "name": "Another name", **({} if n % interval else BAD)} for n, row in enumerate(rows)]
    async with wiring.services(settings) as services:
        await services.migrations.run()
        for name, members in (("new", rows), ("the same", rows), (f"{BAD_ROWS} bad rows", bad_rows)):
            report, faults, seconds = await timed_import(settings, directory / "members.ndjson", members)
            say(f"{name}: {seconds:.1f} s, {number / seconds:,.0f} members/s, {faults} faults; {report}")
        rename_count = await storage(services).members.count({"name": "Another name"})
        say(f"written of the bad file: {rename_count} (0)")


def say(line: str) -> None:
    """Print a line at once."""
    print(line, flush=True)


def main(number: int) -> None:
    """Measure on a store of its own."""
    say("load of the machine before: " + ", ".join(f"{load:.1f}" for load in os.getloadavg()))
    with TemporaryDirectory() as name, a_store(Path(name)) as url:
        settings = load(mongo_url=url, mongo_database="bench_member_import", local_dir=Path(name))
        asyncio.run(measure(settings, Path(name), number))


if __name__ == "__main__":
    main(int(sys.argv[1]) if sys.argv[1:] else 50_000)
