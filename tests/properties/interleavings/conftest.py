"""What the tests of interleavings share."""

from __future__ import annotations

from collections.abc import Generator

import pytest

from bridge.services.privacy import erasure
from bridge.services.statements import follow_ups
from bridge.services.statements.follow_ups import FollowUpRunner
from bridge.store import database
from tests.properties.interleavings.interleaving import scheduled_calls


@pytest.fixture
def scheduled(monkeypatch: pytest.MonkeyPatch) -> Generator[None]:
    """Nobody gives up because of the clock; follow-up work is left to the worker, and comes in small pieces."""

    async def leave_to_worker(self: FollowUpRunner, member_id: str) -> None:
        pass

    monkeypatch.setattr(FollowUpRunner, "run_for_a_while", leave_to_worker)
    monkeypatch.setattr(follow_ups, "STATEMENTS_AT_ONCE", 2)
    monkeypatch.setattr(follow_ups, "ENTRIES_AT_ONCE", 2)
    monkeypatch.setattr(erasure, "PATIENCE", 600)
    monkeypatch.setattr(database, "FIRST_PAUSE", 0)
    with scheduled_calls():
        yield
