"""What happens to a member's record at once comes out as if one thing had happened after another.

Two recorders and more, acts of a person, member updates, voidings, freezes and erasures on the real store, each in a
process of its own, switched before any call that reaches the store (invariants 1, 2, 4 and 8). A process may crash on
the way; its message comes again then. ``operations`` and ``scenes`` say what may happen.
"""

from __future__ import annotations

import asyncio
from collections.abc import Generator
from random import Random
from typing import Any, Final

import pytest
from hypothesis import Phase, given
from hypothesis import settings as profile
from hypothesis import strategies as st
from hypothesis.errors import Flaky

from bridge.settings import Settings
from tests.properties.interleavings.cluster import cluster
from tests.properties.interleavings.planted import FAULTS
from tests.properties.interleavings.scenes import MOST
from tests.properties.interleavings.walks import Walks
from tests.support.searches import examples

BUDGET: Final = 30
"""Walks, of a few runs each."""


@pytest.fixture
def loop() -> Generator[asyncio.AbstractEventLoop]:
    """A loop that everything runs on."""
    with asyncio.Runner() as runner:
        yield runner.get_loop()


@pytest.fixture
def walks(settings: Settings, loop: asyncio.AbstractEventLoop) -> Generator[Walks]:
    """Walks over a store of their own, where nobody gives up because of the clock."""
    opened = cluster(settings.model_copy(update={"mongo_timeout": 60}), MOST)
    yield Walks(loop.run_until_complete(opened.__aenter__()))
    loop.run_until_complete(opened.__aexit__(None, None, None))


def run_all(walks: Walks, loop: asyncio.AbstractEventLoop, budget: int, **more: Any) -> None:
    """Run so many walks; a fault is told as it is found, as making it smaller takes minutes."""

    @profile(max_examples=budget, phases=[Phase.reuse, Phase.generate], report_multiple_bugs=False, **more)
    @given(seed=st.integers(0, 2**64))
    def run(seed: int) -> None:
        loop.run_until_complete(walks.walk(Random(seed)))

    run()


@pytest.mark.timeout(600)
@pytest.mark.usefixtures("scheduled")
def test_what_runs_at_once_leaves_what_some_order_leaves(walks: Walks, loop: asyncio.AbstractEventLoop) -> None:
    """Invariants 1, 2, 4 and 8: whatever runs at once, the record is right, and as after some order of it."""
    run_all(walks, loop, examples(10, BUDGET))


@pytest.mark.timeout(600)
@pytest.mark.usefixtures("scheduled")
@pytest.mark.parametrize("fault", FAULTS)
def test_a_planted_fault_is_found(
    walks: Walks, loop: asyncio.AbstractEventLoop, monkeypatch: pytest.MonkeyPatch, fault: str
) -> None:
    """The walks find what they are there to find, within their budget."""
    FAULTS[fault](monkeypatch)
    with pytest.raises((AssertionError, Flaky)):  # flaky is what was found and is not found in the same run again
        run_all(walks, loop, BUDGET, derandomize=True, database=None)
