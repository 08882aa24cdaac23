"""Real parts for the tests: a private RabbitMQ, and the embedded MongoDB or what ``BRIDGE_TEST_MONGO_URL`` names."""

from __future__ import annotations

import io
import os
import uuid
from collections.abc import AsyncGenerator, Generator
from contextlib import contextmanager
from pathlib import Path

import pytest
from hypothesis import settings as hypothesis_settings
from pydantic import SecretStr

from bridge import wiring
from bridge.broker.connection import connection
from bridge.settings import Settings, load
from bridge.tokens import DEV_ISSUER, PUBLIC_NAME, dev_key
from deploy.dev import mongo
from deploy.dev.service import External
from deploy.dev.services import DevServices, services
from tests.support.audit import SECRET
from tests.support.containers import mongo_in_docker
from tests.support.databases import Databases
from tests.support.journey import Journey, journey
from tests.support.life import MARK
from tests.support.log_lines import collected_lines
from tests.support.portal import Portal, portal_over
from tests.support.rules import RULES, without_test

hypothesis_settings.register_profile("any machine", deadline=None)
hypothesis_settings.load_profile("any machine")

SHARED_STATEMENTS = Path(__file__).parents[2] / "shared" / "statements"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with the files that take longest, so that no worker is alone with one in the end."""
    items.sort(key=lambda item: "faults" not in item.path.parts)


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


@contextmanager
def embedded(directory: Path) -> Generator[str]:
    """Run an embedded store with its data and logs in ``directory`` meanwhile; gives its URL.

    It waits for no disk, neither when it writes nor when it ends: nobody needs what it has afterwards, and the tests of
    kills have stores of their own.
    """
    store = mongo.find(None, directory, directory, durable=False)
    store.start()
    try:
        yield store.url
    finally:
        store.kill()


@pytest.fixture(scope="module")
def databases(dev_services: DevServices, tmp_path_factory: pytest.TempPathFactory) -> Generator[Databases]:
    """The databases of a module's tests: an embedded store that all tests wrote to may stall (decision 18)."""
    if isinstance(dev_services.mongo, External):
        yield Databases(dev_services.mongo_url)
    else:
        with embedded(tmp_path_factory.mktemp("store")) as url:
            yield Databases(url)


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


@pytest.fixture
async def settings(
    request: pytest.FixtureRequest, dev_services: DevServices, databases: Databases, local_dir: Path
) -> AsyncGenerator[Settings]:
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
    async with connection(test_settings, "cleaning up") as broker:
        await wiring.topology(test_settings).delete(await broker.channel())
    if isinstance(dev_services.mongo, External):
        await databases.drop(test_settings)
    elif not new:
        await databases.give_back(test_settings)


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
