"""Milliseconds that a page of the log, the overview and a save take a member with a longer and longer log."""

from __future__ import annotations

import logging
import statistics

import structlog

from tests.benchmarks.world import World
from tests.support.costs import CALLS, fill, milliseconds
from tests.support.portal import portal_over

TIMES = 41


async def pages(world: World, number: int, turn: int = 0) -> dict[str, float]:
    """Return call → median of milliseconds, for a member of this turn with so many entries in the current period."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING))  # a line a call else
    async with portal_over(world.settings) as portal:
        log = await fill(portal, f"long-{number}-{turn}", number)
        return {name: statistics.median(await milliseconds(call, log, TIMES)) for name, call in CALLS.items()}
