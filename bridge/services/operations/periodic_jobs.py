"""What is done again and again, by one worker of several: each chore is claimed for its stretch of time.

Stretches are counted from midnight UTC, so that every worker means the same one. A worker that dies at a chore leaves
it to another once its lease has run out; a chore that fails is told of, and done again in the next stretch.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

import structlog

from bridge.errors import Unavailable
from bridge.logs import failure
from bridge.store import Schedules, now

log = structlog.get_logger(__name__)

LEASE: Final = timedelta(minutes=10)


@dataclass(frozen=True, slots=True)
class Job:
    """What to do, under which name, and how long a stretch is: a whole part of a day."""

    name: str
    every: timedelta
    do: Callable[[], Awaitable[object]]


class Scheduler:
    """Does the chores that are due."""

    def __init__(self, schedules: Schedules, chores: Sequence[Job]) -> None:
        self._schedules = schedules
        self._chores = chores

    async def run(self) -> None:
        """Do each chore whose stretch nobody has seen to; raises ``Unavailable`` when the store is away."""
        for chore in self._chores:
            at = now()
            stretch = interval_start(at, chore.every)
            if await self._schedules.claim(chore.name, stretch, at, LEASE) is not None:
                await self._do(chore)
                await self._schedules.done(chore.name, stretch)

    async def _do(self, chore: Job) -> None:
        try:
            await chore.do()
        except Unavailable:
            raise
        except Exception as error:  # the other chores are due all the same
            log.error("chore failed", chore=chore.name, **failure(error))  # noqa: TRY400 - failure() has it


def interval_start(at: datetime, every: timedelta) -> str:
    """Return when the stretch that ``at`` (UTC) lies in began, as text whose order is that of time."""
    midnight = at.replace(hour=0, minute=0, second=0, microsecond=0)
    return f"{midnight + (at - midnight) // every * every:%Y-%m-%dT%H:%M:%S}"
