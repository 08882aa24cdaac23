"""The reference portal in a real browser, as ``cpd-bridge dev`` serves it with its sample members and their year."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
import uuid
from collections.abc import AsyncGenerator, Generator
from pathlib import Path

import pytest
from playwright.async_api import Browser

from bridge import wiring
from bridge.broker.connection import connection
from bridge.settings import PREFIX, load
from deploy.dev.ports import free_port
from deploy.dev.services import DevServices
from tests.support.browser import Window, browser, window

pytestmark = pytest.mark.timeout(300)  # seconds as a rule, but minutes on a machine that does much else

CLI = Path(sys.executable).parent / "cpd-bridge"
FFION = "m-1001"
PAGES = ("overview", "log", "log/new", "plan", "plan/new", "comments", "audit", "exports", "access")
TOO_WIDE = "document.documentElement.scrollWidth - document.documentElement.clientWidth"


@pytest.fixture(scope="module")
def origin(dev_services: DevServices, store_url: str, tmp_path_factory: pytest.TempPathFactory) -> Generator[str]:
    """Where ``cpd-bridge dev`` serves, on the broker of the test session and the store of this module."""
    directory, name = tmp_path_factory.mktemp("dev"), uuid.uuid4().hex[:12]
    values = {
        "mongo_url": store_url,
        "mongo_database": f"t_{name}",
        "amqp_url": dev_services.amqp_url,
        "amqp_namespace": f"t-{name}.",
        "http_port": str(free_port()),
        "local_dir": str(directory),
    }
    environment = {**os.environ, **{f"{PREFIX}{field.upper()}": value for field, value in values.items()}}
    with (
        (directory / "errors").open("w", encoding="utf-8") as errors,
        subprocess.Popen([CLI, "dev"], stdout=subprocess.PIPE, stderr=errors, text=True, env=environment) as process,
    ):
        assert process.stdout is not None
        yield next(json.loads(line) for line in process.stdout if line.startswith("{"))["http"]
        process.terminate()
    asyncio.run(forget(values))


async def forget(values: dict[str, str]) -> None:
    """Take the queues of this run off the broker."""
    settings = load(**values)
    async with connection(settings, "cleaning up") as broker:
        await wiring.topology(settings).delete(await broker.channel())


@pytest.fixture
async def chromium() -> AsyncGenerator[Browser]:
    """A browser."""
    async with browser() as chromium_process:
        yield chromium_process


async def sign_in(portal: Window, member_id: str = FFION) -> None:
    """Open the portal and choose a sample member, by keyboard."""
    await portal.page.goto(f"{portal.origin}/portal/")
    await portal.page.locator(f"#{member_id}").wait_for()
    await portal.tab_to(member_id)
    await portal.page.keyboard.press("Enter")
    await portal.page.locator("#elapsed").wait_for()


async def visit(portal: Window, path: str) -> None:
    """Go to a page of the portal; returns when its heading has the focus."""
    await portal.page.evaluate("document.getElementById('title').id = 'old'")
    await portal.page.evaluate("path => { location.hash = `#/${path}`; }", path)
    await portal.page.locator("#title:focus").wait_for()


async def rows(portal: Window, path: str) -> list[str]:
    """The pages that a list of the portal leads to."""
    await visit(portal, path)
    links = portal.page.locator(".rows a[id^=row-]")
    return [str(await link.get_attribute("href")).removeprefix("#/") for link in await links.all()]


@pytest.mark.parametrize("narrow", [False, True], ids=["wide", "narrow"])
async def test_every_page_is_accessible(origin: str, chromium: Browser, *, narrow: bool) -> None:
    """axe-core finds nothing on any page, and nothing is too wide: English and light, then Welsh, dark and at 400 %."""
    async with window(chromium, origin, narrow=narrow, dark=narrow) as portal:
        await portal.page.goto(f"{origin}/portal/")
        await portal.page.locator(f"#{FFION}").wait_for()
        assert await portal.violations() == []
        await sign_in(portal)
        if narrow:
            await portal.page.locator("#language").click()
            await portal.page.get_by_role("heading", name="Trosolwg").wait_for()
        records = [(await rows(portal, path))[0] for path in ("log", "plan")]
        for path in (*PAGES, *records):
            await visit(portal, path)
            assert (path, await portal.violations()) == (path, [])
            assert (path, await portal.page.evaluate(TOO_WIDE)) == (path, 0)
        assert (portal.faults, portal.foreign()) == ([], [])
