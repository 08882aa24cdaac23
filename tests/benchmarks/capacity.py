"""Bytes of a member's year by collection and index, and what a million members and more make of them.

``python -m tests.benchmarks.capacity`` writes the year of some members through the service, asks the store what it
holds (``collStats``), and prints the tables of docs/guides/capacity.md. ``BENCH_MONGO_URL`` names a MongoDB to measure
instead of the embedded one. Bytes are before compression, and do not depend on how busy the machine is.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

import orjson
import structlog

from bridge.domain.statements.ledger import arrival
from deploy.dev.services import services
from tests.benchmarks.world import World, world
from tests.support.audit import PERIOD, Office, Person, office
from tests.support.portal import LOG_TEXTS, PLAN_TEXTS, full_entry, full_item
from tests.support.statements import completed
from tests.support.storage import Storage

MEMBERS: Final = 10
"""Members whose year is written; what is reckoned is the average."""

COMPLETIONS, REFLECTIONS, BY_HAND, PLAN_ITEMS, COMMENTS = 30, 20, 6, 8, 2
"""Of a member in a year: completions, drafts finished, entries by hand, plan items, comments."""

EVIDENCE: Final = 3 * 300_000
"""Bytes of evidence that a member adds in a year: three files; reckoned, not written."""

REFLECTION: Final = ("What I heard about loss in later life changes how I begin a first session. " * 6)[:400]
"""One of the five texts that make an entry complete."""

AUDIT_SHARE: Final = 1 / 40
"""Members whose record is audited in a year."""

PASSING: Final = frozenset({"outbox", "access_heads", "meta"})
"""Collections that empty as they fill, or do not grow with the members."""

SIZES: Final = (1_000_000, 10_000_000, 100_000_000)
LEAST: Final = 10
"""Bytes a member below which a collection is left out."""


@dataclass(frozen=True)
class Footprint:
    """What a collection takes: documents, their bytes, and the bytes of its indexes."""

    documents: float = 0.0
    size: float = 0.0
    indexes: float = 0.0

    def plus(self, footprint: Footprint, share: float = 1.0) -> Footprint:
        """Return this and a share of another."""
        return Footprint(
            self.documents + share * footprint.documents,
            self.size + share * footprint.size,
            self.indexes + share * footprint.indexes,
        )


Footprints = Mapping[str, Footprint]


async def footprints(storage: Storage) -> Footprints:
    """Return what each collection takes, by the store's own books."""
    return {name: await _footprint(storage, name) for name in await storage.names()}


async def _footprint(storage: Storage, name: str) -> Footprint:
    stats = await storage.command("collStats", name)
    return Footprint(stats["count"], stats["size"], sum(stats["indexSizes"].values()))


async def year_of_a_member(amqp_url: str, directory: Path) -> Footprints:
    """Return what a member's year takes, an audit's share in it."""
    async with world(amqp_url, directory, "capacity", MEMBERS) as bench, office(bench.settings, bench.services) as desk:
        for number in range(MEMBERS):
            await _write_year(bench, desk, number)
        record = await footprints(bench.storage)
        await _audit(desk)
        with_audit = await footprints(bench.storage)
    empty = Footprint()
    return {
        name: empty.plus(record.get(name, empty), 1 / MEMBERS).plus(_growth(record, with_audit, name), AUDIT_SHARE)
        for name in with_audit.keys() - PASSING
    }


def _growth(before: Footprints, after: Footprints, name: str) -> Footprint:
    return after[name].plus(before.get(name, Footprint()), -1.0)


async def _write_year(bench: World, desk: Office, number: int) -> None:
    """Write the year of a member as the Learning centre and the member do."""
    person, rules = desk.member(f"m-{number}"), bench.services.recording.rules
    statements = [completed(str(number), f"course/{course}") for course in range(COMPLETIONS)]
    now = datetime.now(UTC)
    await bench.services.recording.record([arrival(row, orjson.dumps(row), now, rules) for row in statements])
    page = await person.good("GET", f"/v1/log?period={PERIOD}")
    texts = dict.fromkeys(LOG_TEXTS, REFLECTION)
    for entry in page["items"][:REFLECTIONS]:
        await person.good("PATCH", f"/v1/log/{entry['id']}", {**texts, "draft": False})
    for _ in range(BY_HAND):
        await person.good("POST", "/v1/log", full_entry(**texts))
    await _plan_and_comment(person)


async def _plan_and_comment(person: Person) -> None:
    for _ in range(PLAN_ITEMS):
        await person.good("POST", "/v1/plan", full_item(**dict.fromkeys(PLAN_TEXTS, REFLECTION[:200])))
    for _ in range(COMMENTS):
        await person.good("POST", f"/v1/periods/{PERIOD}/comments", {"text": REFLECTION})


async def _audit(desk: Office) -> None:
    """Select a member, submit, and read the record as an assessor does."""
    register, person = desk.staff(), desk.member("m-0")
    case = await register.select("m-0")
    await person.submit(case)
    for _ in range(5):
        await register.good("GET", f"/v1/register/cases/{case}/record")
    await register.decide(case, "close")


def member_table(year: Footprints) -> list[str]:
    """Return the table of a member's year: collections by size."""
    rows = sorted(year.items(), key=lambda row: -(row[1].size + row[1].indexes))
    lines = ["| Collection | Documents | Bytes | Bytes of indexes |", "|---|---|---|---|"]
    for name, footprint in rows:
        if footprint.size + footprint.indexes >= LEAST:
            sizes = f"{footprint.size:,.0f} | {footprint.indexes:,.0f}"
            lines.append(f"| `{name}` | {footprint.documents:.1f} | {sizes} |")
    return lines


def size_table(year: Footprints) -> list[str]:
    """Return the table of what a year of so many members takes."""
    head = " | ".join(f"{size:,} members" for size in SIZES)
    lines = [f"| A year of | {head} |", "|---|---|---|---|"]
    total = Footprint()
    for footprint in year.values():
        total = total.plus(footprint)
    parts = {
        "Documents": sum(footprint.documents for footprint in year.values()),
        "Documents, GB": total.size / 1e9,
        "Indexes, GB": total.indexes / 1e9,
        "Evidence, GB": EVIDENCE / 1e9,
        "Completions a second, on average": COMPLETIONS / 365 / 86_400,
    }
    for name, amount in parts.items():
        lines.append(f"| {name} | {' | '.join(_number(amount * size) for size in SIZES)} |")
    return lines


def _number(amount: float) -> str:
    """Return an amount to two digits: what is reckoned is no closer than that."""
    digits = float(f"{amount:.2g}")
    return f"{digits:,.0f}" if digits >= 10 else f"{digits:g}"


async def main() -> None:
    """Measure, and print both tables."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING))  # a line a call else
    with TemporaryDirectory() as directory, services(Path(directory), private=True) as servers:
        year = await year_of_a_member(servers.amqp_url, Path(directory))
    print(*member_table(year), "", *size_table(year), sep="\n")


if __name__ == "__main__":
    asyncio.run(main())
