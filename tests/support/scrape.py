"""Scrapes ``/metrics`` as Prometheus does, and reads what came."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass

import aiohttp
from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.samples import Sample

from deploy.dev.ports import LOOPBACK


@dataclass(frozen=True)
class Page:
    """One page of metrics; ``samples`` are its lines."""

    text: str
    samples: list[Sample]

    def value(self, name: str, **labels: str) -> float | None:
        """The sum of the samples of a name that have these labels, or None when there are none."""
        values = [
            sample.value for sample in self.samples if sample.name == name and labels.items() <= sample.labels.items()
        ]
        return sum(values) if values else None

    @property
    def names(self) -> set[str]:
        """The names of all samples."""
        return {sample.name for sample in self.samples}

    def labels(self, name: str) -> set[str]:
        """Every value that a label has in any sample."""
        return {sample.labels[name] for sample in self.samples if name in sample.labels}


def read(text: str) -> Page:
    """Read a page; raises ``ValueError`` for what Prometheus could not."""
    return Page(text, [sample for family in text_string_to_metric_families(text) for sample in family.samples])


async def scrape(port: int) -> Page:
    """Scrape what listens at a port of the loopback."""
    async with (
        aiohttp.ClientSession() as session,
        session.get(f"http://{LOOPBACK}:{port}/metrics", raise_for_status=True) as answer,
    ):
        return read(await answer.text())


async def scraped_until(port: int, condition: Callable[[Page], bool], within: float = 60) -> Page:
    """Scrape again and again until a page is enough."""
    async with asyncio.timeout(within):
        while not condition(page := await scrape(port)):
            await asyncio.sleep(0.5)  # the process reads every ten seconds, and a page costs it much
    return page
