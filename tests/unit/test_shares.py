"""A share for each subject: further calls wait or are refused, and others notice nothing."""

from __future__ import annotations

import asyncio

import pytest

from bridge.errors import RateLimited, Unavailable
from bridge.services.exports.limits import SubjectLimit


async def test_a_subject_waits_for_its_own() -> None:
    """Two at once, one waits, a further one is refused; another subject gets its turn at once."""
    shares, go, held = SubjectLimit(2, waiting=1), asyncio.Event(), list[str]()

    async def hold(subject: str) -> None:
        async with shares.turn(subject):
            held.append(subject)
            await go.wait()

    async with asyncio.TaskGroup() as group:
        for subject in ("ada", "ada", "ada", "ben"):
            group.create_task(hold(subject))
        while len(held) < 3:
            await asyncio.sleep(0)
        assert sorted(held) == ["ada", "ada", "ben"]
        with pytest.raises(RateLimited):
            await hold("ada")
        go.set()
    assert sorted(held) == ["ada", "ada", "ada", "ben"]
    await hold("ada")


async def test_waiting_has_an_end() -> None:
    """Who waits too long is told to try again, and what was waited for goes on."""
    shares = SubjectLimit(1, waiting=1, seconds=0.05)
    async with shares.turn("ada"):
        with pytest.raises(Unavailable):
            async with shares.turn("ada"):
                pytest.fail("there was no turn")
    async with shares.turn("ada"):
        pass
