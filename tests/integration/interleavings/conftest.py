"""Two processes over an empty store."""

from __future__ import annotations

from collections.abc import AsyncGenerator

import pytest

from bridge import wiring
from bridge.settings import Settings
from tests.integration.interleavings.world import World


@pytest.fixture
async def world(settings: Settings) -> AsyncGenerator[World]:
    """Two processes over an empty store."""
    async with wiring.services(settings) as a, wiring.services(settings) as b:
        await a.stores.prepare()
        yield World(a, b)
