"""What a soak looks at while it lasts, and what it makes of it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass, field

import aiohttp
from prometheus_client.parser import text_string_to_metric_families

from bridge import wiring
from bridge.broker.dead_letter_queue import DeadLetterQueue
from bridge.settings import Settings

INTERVAL = 2.0
"""Seconds between two looks."""

SHOW_EVERY = 15.0
"""Seconds between two lines."""


@dataclass(frozen=True)
class Look:
    """Both processes at a moment (MiB, open files, CPU seconds), and what waits."""

    at: float
    memory: dict[str, float]
    files: dict[str, float]
    cpu: dict[str, float]
    behind: int  # statements published and not settled: in the queue, or in the worker's hands
    dead: int
    outbox: int


@dataclass
class Watch:
    """Looks at the processes' own ``/metrics``, at the broker and at the store."""

    settings: Settings
    services: wiring.Services
    urls: dict[str, str]
    published: Callable[[], int]
    looks: list[Look] = field(default_factory=list[Look])

    def __post_init__(self) -> None:
        self._queue = DeadLetterQueue(self.settings, wiring.topology(self.settings))
        self._start = time.monotonic()

    async def run(self, session: aiohttp.ClientSession) -> None:
        """Look until cancelled, and say what is seen now and then."""
        shown_at = 0.0
        while True:
            look = await self.look(session)
            self.looks.append(look)
            if look.at - shown_at >= SHOW_EVERY:
                shown_at = look.at
                print(_line(look), flush=True)
            await asyncio.sleep(INTERVAL)

    async def look(self, session: aiohttp.ClientSession) -> Look:
        """Look once."""
        published_count = self.published()
        figures = {name: await metrics(session, url) for name, url in self.urls.items()}
        lag = await self.services.stores.outbox.lag()
        return Look(
            time.monotonic() - self._start,
            {name: page["process_resident_memory_bytes"] / 2**20 for name, page in figures.items()},
            {name: page["process_open_fds"] for name, page in figures.items()},
            {name: page["process_cpu_seconds_total"] for name, page in figures.items()},
            published_count - int(figures["worker"].get("cpd_bridge_statements_total", 0)),
            await self._queue.depth(),
            lag.count,
        )


def _line(look: Look) -> str:
    memory = "  ".join(f"{name} {size:6.1f} MiB" for name, size in look.memory.items())
    return f"{look.at:6.0f} s  {memory}  behind {look.behind:5d}  outbox {look.outbox:5d}  dead {look.dead}"


async def metrics(session: aiohttp.ClientSession, url: str) -> dict[str, float]:
    """Return name → value of a process's metrics; those with labels are added up."""
    async with session.get(f"{url}/metrics") as answer:
        text = await answer.text()
    totals: dict[str, float] = {}
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            totals[sample.name] = totals.get(sample.name, 0.0) + sample.value
    return totals


async def dispositions(session: aiohttp.ClientSession, url: str) -> dict[str, int]:
    """Return disposition → statements that the worker settled so."""
    async with session.get(f"{url}/metrics") as answer:
        text = await answer.text()
    totals: dict[str, int] = {}
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            if sample.name == "cpd_bridge_statements_total":
                name = sample.labels["disposition"]
                totals[name] = totals.get(name, 0) + int(sample.value)
    return totals
