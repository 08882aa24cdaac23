"""Milliseconds that a page of the log, the overview and a save take a member with a longer and longer log."""

from __future__ import annotations

import logging
import statistics
import time
from collections.abc import Awaitable, Callable

import structlog

from tests.benchmarks.world import World
from tests.support.costs import CALLS, LongLog, fill
from tests.support.portal import Answer, portal_over

TIMES = 41


async def pages(world: World, number: int, turn: int = 0) -> dict[str, float]:
    """Return call → median of milliseconds, for a member of this turn with so many entries in the current period."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING))  # a line a call else
    async with portal_over(world.settings) as portal:
        log = await fill(portal, f"long-{number}-{turn}", number)
        return {name: statistics.median(await _milliseconds(call, log)) for name, call in CALLS.items()}


async def _milliseconds(call: Callable[[LongLog], Awaitable[Answer]], log: LongLog) -> list[float]:
    """Return how long each of ``TIMES`` calls takes."""
    durations: list[float] = []
    for _ in range(TIMES):
        start = time.perf_counter()
        answer = await call(log)
        durations.append((time.perf_counter() - start) * 1000)
        assert answer.status == 200, answer.body
    return durations
