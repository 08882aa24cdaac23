"""How a command runs that needs the services; one that needs none does without their import."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

from bridge import wiring
from bridge.commands.common import configured

R = TypeVar("R")


def run_with_services(call: Callable[[wiring.Services], Awaitable[R]]) -> R:
    """Return what ``call`` does with the services that the settings ask for; raises ``SettingsError``."""

    async def run() -> R:
        async with wiring.services(configured()) as services:
            return await call(services)

    return asyncio.run(run())
