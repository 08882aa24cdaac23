"""What the worker does on time: reminders, membership years that end, and periodic jobs."""

from __future__ import annotations

import asyncio

from bridge.services.members.reminders import Reminders
from bridge.services.operations.periodic_jobs import Scheduler
from bridge.settings import Settings
from consumers.consumer import Consumer

LOOK_EVERY = 60.0  # seconds between two looks at what is due


class SchedulerLoop(Consumer):
    """Does what is due, now and again."""

    purpose = "reminders"

    def __init__(self, settings: Settings, reminders: Reminders, scheduler: Scheduler) -> None:
        super().__init__(settings)
        self._reminders = reminders
        self._scheduler = scheduler

    async def session(self) -> None:
        """Look at what is due, again and again."""
        self.mark_working()
        await self.run_until_stopped(self._look())

    async def _look(self) -> None:
        while True:
            await self.retry_while_unavailable(self._reminders.run)
            await self.retry_while_unavailable(self._scheduler.run)
            await asyncio.sleep(LOOK_EVERY)
