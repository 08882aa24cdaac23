"""What a killed process left open in the store holds others up, and costs them nothing else (docs/deployment.md)."""

from __future__ import annotations

import asyncio
import io

import pytest

from bridge.settings import Settings
from tests.support.journey import journey
from tests.support.portal import full_entry, portal_over
from tests.support.statements import completed, member
from tests.support.storage import storage


@pytest.fixture
def impatient(settings: Settings) -> Settings:
    """Settings of a service that waits for the store for a second."""
    return settings.model_copy(update={"mongo_timeout": 0.5})


async def test_a_save_is_503_and_may_come_again(impatient: Settings) -> None:
    """Meanwhile the member reads what is there; the same save goes through when the store has let go."""
    async with portal_over(impatient) as portal:
        browser = await portal.member("m-1")
        path = f"/v1/log/{(await browser.post('/v1/log', full_entry()))['id']}"
        async with storage(portal.services).left_open("m-1"):
            refusal = await browser.call("PATCH", path, {"title": "Another"}, if_match="*")
            assert (refusal.status, (await browser.call("GET", path)).status) == (503, 200)
            assert int(refusal.headers["Retry-After"]) > 0
        assert (await browser.call("PATCH", path, {"title": "Another"}, if_match="*")).status == 200


async def test_a_statement_waits(impatient: Settings, lines: io.BytesIO) -> None:
    """Invariant 7: it spends no delivery, however long that takes, and is recorded afterwards."""
    async with journey(impatient) as bridge:
        await bridge.add_member("m-1", member())
        async with storage(bridge.services).left_open("m-1"):
            keys = await bridge.publish([completed()])
            async with asyncio.timeout(30):
                while b"store away" not in lines.getvalue():
                    await asyncio.sleep(0.05)  # the worker gives no other sign that it waits
            assert bridge.outcomes == {}
        ((outcome,),) = await bridge.settled(keys)
        assert outcome.disposition.value == "recorded"
        assert await bridge.dead_letters() == []
