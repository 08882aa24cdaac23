"""Operations beside a running worker, and the API as they call it."""

from __future__ import annotations

from collections.abc import AsyncGenerator

import pytest

from bridge.services.operations.dead_letters import Operations
from tests.support.calls import Calls, calls
from tests.support.journey import Journey, mirroring


@pytest.fixture
async def ops(bridge: Journey) -> AsyncGenerator[Operations]:
    """Operations beside a running worker, with the mirror kept."""
    async with mirroring(bridge):
        yield bridge.services.operations


@pytest.fixture
async def call(bridge: Journey) -> AsyncGenerator[Calls]:
    """The API as operations calls it."""
    async with calls(bridge.settings, bridge.services) as started:
        yield started
