"""What the worker does on time: reminders, membership years that end, and periodic jobs."""

from __future__ import annotations

import asyncio

from bridge.services.members.reminders import Reminders
from bridge.services.operations.periodic_jobs import Scheduler
from consumers.supervisor import Life

LOOK_EVERY = 60.0
"""Seconds between two looks at what is due."""


class Clock:
    """Looks at what is due, now and again, until told to stop."""

    def __init__(self, reminders: Reminders, upkeep: Scheduler) -> None:
        self._reminders = reminders
        self._upkeep = upkeep
        self.life = Life("reminders")

    async def run(self) -> None:
        """Work until stopped."""
        await self.life.run(self._session)

    async def _session(self) -> None:
        self.life.working()
        await self.life.until_stopped(self._look())

    async def _look(self) -> None:
        while True:
            await self.life.retry_while_unavailable(self._reminders.run)
            await self.life.retry_while_unavailable(self._upkeep.run)
            await asyncio.sleep(LOOK_EVERY)
