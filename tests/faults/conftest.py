"""A broker, a store and workers of their own, to be killed."""

from __future__ import annotations

import uuid
from collections.abc import Generator
from pathlib import Path

import pytest

from bridge import wiring
from bridge.broker.connection import connection
from bridge.domain.members.messages import MemberIn
from bridge.settings import Settings, load
from deploy.dev.services import DevServices, services
from tests.support.statements import member
from tests.support.stream import MEMBERS, listen, patient


@pytest.fixture(scope="session")
def victims(tmp_path_factory: pytest.TempPathFactory) -> Generator[DevServices]:
    """Private services for the fault tests alone."""
    with services(tmp_path_factory.mktemp("victims"), private=True) as started:
        yield started


@pytest.fixture
async def faulty(victims: DevServices, tmp_path: Path) -> Settings:
    """Settings on the victims, with members known and the topology declared."""
    name = uuid.uuid4().hex[:12]
    test_settings = load(
        mongo_url=victims.mongo_url,
        mongo_database=f"f_{name}",
        mongo_timeout=2,
        amqp_url=victims.amqp_url,
        amqp_namespace=f"f-{name}.",
        local_dir=tmp_path,
    )
    async with wiring.services(patient(test_settings)) as services, connection(test_settings, "test") as broker:
        channel = await broker.channel()
        await wiring.topology(test_settings).declare(channel)
        await listen(test_settings, channel)
        await services.stores.prepare()
        for number in range(MEMBERS):
            await services.members.put(f"m-{number}", MemberIn.model_validate(member(str(number))))
    return test_settings
