"""Real parts for the tests: a private RabbitMQ, and the embedded MongoDB or what ``BRIDGE_TEST_MONGO_URL`` names."""

from __future__ import annotations

import asyncio
import io
import os
import uuid
from collections.abc import AsyncGenerator, Generator, Sequence
from contextlib import suppress
from pathlib import Path

import pytest
from aio_pika.exceptions import ChannelNotFoundEntity
from hypothesis import settings as hypothesis_settings
from pydantic import SecretStr

from bridge import wiring
from bridge.broker.connection import connection
from bridge.settings import Settings, load
from bridge.tokens import DEV_ISSUER, PUBLIC_NAME, dev_key
from deploy.dev.service import External
from deploy.dev.services import DevServices, services
from tests.support.audit import SECRET
from tests.support.containers import mongo_in_docker
from tests.support.databases import Databases, Stores, embedded
from tests.support.journey import Journey, journey
from tests.support.life import MARK
from tests.support.log_lines import collected_lines
from tests.support.portal import Portal, portal_over
from tests.support.rules import RULES, without_test
from tests.support.topologies import delete_topology

hypothesis_settings.register_profile("any machine", deadline=None)
hypothesis_settings.load_profile("any machine")

SHARED_STATEMENTS = Path(__file__).parents[2] / "shared" / "statements"


LONGEST_FIRST = ("faults", "interleavings", "fuzz", "browser", "properties", "integration", "unit")
"""Folders in the order in which their files are begun, so that no worker is alone with a long one in the end."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with the files that take longest."""
    items.sort(key=lambda item: [name not in item.path.parts for name in LONGEST_FIRST])


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print the rules of the requirements that no test names."""
    rules = without_test()
    terminalreporter.write_line(f"Rules with no test: {len(rules)} of {len(RULES)}. {'; '.join(rules)}")


PLANTED_WORDS = (MARK, SECRET.lower())
"""Words that the tests put where members write: no log line of any test may have one."""


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Fail a test during which a planted word was logged, or printed."""
    report = yield
    section_lines = [line for _, text in report.sections for line in text.splitlines()]
    if leaks := [line for line in section_lines if any(word in line.lower() for word in PLANTED_WORDS)]:
        report.outcome, report.longrepr = "failed", f"{item.nodeid}: personal text was logged:\n" + "\n".join(leaks)
    return report


@pytest.fixture(scope="session")
def dev_services(tmp_path_factory: pytest.TempPathFactory) -> Generator[DevServices]:
    """The broker and the store of this test session."""
    directory = tmp_path_factory.mktemp("services")
    with mongo_in_docker() as url:
        mongo_url = os.environ.get("BRIDGE_TEST_MONGO_URL") or url
        with services(directory, mongo_url=mongo_url, private=mongo_url is None) as started:
            yield started


@pytest.fixture(scope="session")
def stores(tmp_path_factory: pytest.TempPathFactory) -> Generator[Stores]:
    """The embedded stores of this test session."""
    test_stores = Stores(tmp_path_factory.mktemp("stores"))
    yield test_stores
    test_stores.close()


@pytest.fixture(scope="module")
def databases(dev_services: DevServices, stores: Stores) -> Databases:
    """The databases of a module's tests."""
    return Databases(dev_services.mongo_url) if isinstance(dev_services.mongo, External) else stores.databases()


@pytest.fixture(scope="session")
def local_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the development signing key of this session lies."""
    directory = tmp_path_factory.mktemp("local")
    dev_key(directory)
    return directory


@pytest.fixture
def lines() -> Generator[io.BytesIO]:
    """What is logged during a test."""
    with collected_lines() as stream:
        yield stream


@pytest.fixture(scope="module")
def left_behind() -> Generator[list[Settings]]:
    """Settings whose names on the broker go once the module's tests have ended."""
    left_settings: list[Settings] = []
    yield left_settings
    if left_settings:
        asyncio.run(_forget(left_settings))


async def _forget(left_settings: Sequence[Settings]) -> None:
    async with connection(left_settings[0], "cleaning up") as broker:
        for topology in map(wiring.topology, left_settings):
            channel = await broker.channel()
            with suppress(ChannelNotFoundEntity):  # most tests need no broker
                await channel.declare_exchange(topology.statements, passive=True)
                await delete_topology(topology, channel)


@pytest.fixture
def settings(
    request: pytest.FixtureRequest,
    dev_services: DevServices,
    databases: Databases,
    left_behind: list[Settings],
    local_dir: Path,
) -> Generator[Settings]:
    """Settings with an empty database and a namespace of their own; ``new_database`` marks who needs one never used."""
    new = request.node.get_closest_marker("new_database") is not None
    test_settings = load(
        mongo_url=databases.url,
        mongo_database=databases.take(new=new),
        amqp_url=dev_services.amqp_url,
        amqp_namespace=f"t-{uuid.uuid4().hex[:12]}.",
        auth_issuer=DEV_ISSUER,
        auth_key_file=local_dir / PUBLIC_NAME,
        local_dir=local_dir,
        rate_limit="",
        http_port=0,
    )
    yield test_settings
    left_behind.append(test_settings)
    name, is_ours = test_settings.mongo_database, not isinstance(dev_services.mongo, External)
    databases.give_back(name, reuse=is_ours and not new)


@pytest.fixture
def own_store(settings: Settings, dev_services: DevServices, tmp_path: Path) -> Generator[Settings]:
    """Settings with a store of their own, for what is too large for one that others go on with."""
    if isinstance(dev_services.mongo, External):
        yield settings
    else:
        with embedded(tmp_path) as url:
            yield settings.model_copy(update={"mongo_url": SecretStr(url)})


@pytest.fixture
async def bridge(settings: Settings) -> AsyncGenerator[Journey]:
    """A running worker with its services."""
    async with journey(settings) as live_journey:
        yield live_journey


@pytest.fixture
async def portal(settings: Settings) -> AsyncGenerator[Portal]:
    """The running API."""
    async with portal_over(settings) as live_portal:
        yield live_portal
