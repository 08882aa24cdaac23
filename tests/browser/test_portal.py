"""The reference portal in a real browser, as ``cpd-bridge dev`` serves it with its sample members and their year."""

from __future__ import annotations

import asyncio
import json
import os
import re
import subprocess
import uuid
from collections.abc import AsyncGenerator, Generator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import orjson
import pytest
from playwright.async_api import Browser, Page, Route

from bridge import wiring
from bridge.broker.connection import connection
from bridge.settings import Settings, load
from bridge.tokens import dev_token
from deploy.dev.client import call
from deploy.dev.ports import free_port
from deploy.dev.services import DevServices
from schemas.audit import DECLARATIONS
from tests.support.browser import Window, browser, window
from tests.support.databases import Databases
from tests.support.journey import publish_raw
from tests.support.processes import CLI, environment_of
from tests.support.statements import activity_of, completed
from tests.support.topologies import delete_topology

pytestmark = pytest.mark.timeout(300)  # seconds as a rule, but minutes on a machine that does much else

FFION = "m-1001"
PAGES = ("overview", "log", "log/new", "plan", "plan/new", "comments", "audit", "exports", "access")
PICTURES = os.environ.get("PORTAL_PICTURES")
"""Folder that the guide's pictures are written to (``make screenshots``); none are made without it."""

TEXTS_OF_ONE_LANGUAGE = """async () => {
  const names = (value, at) => typeof value === "object"
    ? Object.entries(value).flatMap(([name, inner]) => names(inner, `${at}/${name}`)) : [`${at} ${typeof value}`];
  const [en, cy] = await Promise.all(["en", "cy"].map(async (code) => names((await import(`./${code}.js`)).texts, "")));
  return [...en.filter((name) => !cy.includes(name)), ...cy.filter((name) => !en.includes(name))];
}"""

SAME_IDS = "[...document.querySelectorAll('[id]')].map(e => e.id).filter((id, at, all) => all.indexOf(id) !== at)"
TOO_WIDE = "document.documentElement.scrollWidth - document.documentElement.clientWidth"


@dataclass(frozen=True)
class DevRun:
    """A run of ``cpd-bridge dev``: where it serves, and settings with the same broker and key."""

    origin: str
    settings: Settings

    async def complete(self, title: str) -> None:
        """Publish a completion of Ffion's, as the Learning centre does."""
        statement = completed("1001", at=datetime.now(UTC).isoformat(), object=activity_of("course/story", title))
        exchange = wiring.topology(self.settings).statements
        await publish_raw(self.settings, exchange, "statement.completed", orjson.dumps(statement))

    def token(self, role: str) -> str:
        """A token of Ffion's, or of staff."""
        return dev_token(self.settings.local_dir, FFION, [role])

    async def forget(self) -> None:
        """Take the queues of this run off the broker."""
        async with connection(self.settings, "cleaning up") as broker:
            await delete_topology(wiring.topology(self.settings), await broker.channel())


@pytest.fixture(scope="module")
def dev_run(
    dev_services: DevServices, databases: Databases, tmp_path_factory: pytest.TempPathFactory
) -> Generator[DevRun]:
    """``cpd-bridge dev`` with its samples, on the broker and the store of the tests."""
    directory = tmp_path_factory.mktemp("dev")
    settings = load(
        mongo_url=databases.url,
        mongo_database=databases.take(),
        amqp_url=dev_services.amqp_url,
        amqp_namespace=f"t-{uuid.uuid4().hex[:12]}.",
        http_port=free_port(),
        local_dir=directory,
    )
    with (
        (directory / "errors").open("w", encoding="utf-8") as errors,
        subprocess.Popen(
            [CLI, "dev"], stdout=subprocess.PIPE, stderr=errors, text=True, env=environment_of(settings)
        ) as process,
    ):
        assert process.stdout is not None
        yield DevRun(next(json.loads(line) for line in process.stdout if line.startswith("{"))["http"], settings)
        process.terminate()
    asyncio.run(DevRun("", settings).forget())


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
    await portal.page.evaluate("document.getElementById('heading').id = 'old'")
    await portal.page.evaluate("path => { location.hash = `#/${path}`; }", path)
    await portal.page.locator("#heading:focus").wait_for()


async def rows(portal: Window, path: str) -> list[str]:
    """The pages that a list of the portal leads to."""
    await visit(portal, path)
    links = portal.page.locator(".rows a[id^=row-]")
    return [str(await link.get_attribute("href")).removeprefix("#/") for link in await links.all()]


async def test_every_page_is_accessible(dev_run: DevRun, chromium: Browser) -> None:
    """axe-core finds nothing on any page, and nothing is too wide: English and light, then Welsh, dark and at 400 %."""
    for narrow in (False, True):
        async with window(chromium, dev_run.origin, narrow=narrow, dark=narrow) as portal:
            await portal.page.goto(f"{dev_run.origin}/portal/")
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
                assert (path, await portal.page.evaluate(SAME_IDS)) == (path, [])
            assert await portal.page.evaluate(TEXTS_OF_ONE_LANGUAGE) == []
            assert (portal.faults, portal.foreign()) == ([], [])


async def announced(portal: Window, text: str) -> None:
    """Wait until the portal says that where a screen reader hears it."""
    await portal.page.locator("[role=status], [role=alert]").filter(has_text=text).wait_for()


@asynccontextmanager
async def late_answer(page: Page, url: re.Pattern[str]) -> AsyncGenerator[None]:
    """Let the next call of an address, which the portal makes by itself, be answered after what is done meanwhile."""
    is_over = asyncio.Event()

    async def answer(route: Route) -> None:
        await is_over.wait()
        await route.continue_()

    async with page.expect_request(url):
        await page.route(url, answer)
    async with page.expect_request_finished(lambda request: url.search(request.url) is not None):
        yield
        is_over.set()
    await page.unroute(url)
    await page.evaluate("() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))")


async def press(portal: Window, element_id: str, key: str = "Enter") -> None:
    """Tab to an element and press a key on it."""
    await portal.tab_to(element_id, limit=120)
    await portal.page.keyboard.press(key)


async def write(portal: Window, texts: dict[str, str]) -> None:
    """Tab to each field and type over what is in it."""
    for field, text in texts.items():
        await press(portal, f"field-{field}", "Control+A")
        await portal.page.keyboard.type(text)


async def picture(portal: Window, name: str, top: str = "main") -> None:
    """Take a picture for the guide, from an element downwards, where one is wanted."""
    if PICTURES:
        await portal.page.evaluate("document.activeElement.blur()")
        await portal.page.locator(f"#{top}").evaluate("element => element.scrollIntoView()")
        await portal.page.screenshot(path=Path(PICTURES) / f"{name}.png")


REFLECTIONS = {
    "minutes": "90",
    "reason": "Two of my clients have lost somebody this year.",
    "learning": "That grief comes and goes, and need not be led.",
    "evaluation": "It was worth the time.",
    "impact_on_practice": "I leave more room for silence.",
}


async def test_the_story_of_a_member_by_keyboard(dev_run: DevRun, chromium: Browser) -> None:
    """A completion arrives on the open page, is completed, and the audited year is submitted; no mouse."""
    async with window(chromium, dev_run.origin) as portal:
        await portal.page.set_viewport_size({"width": 800, "height": 600})
        await sign_in(portal)
        await dev_run.complete("Working with grief")
        await announced(portal, "1 new draft has come")
        await picture(portal, "portal-overview")
        await finish_the_draft(portal, dev_run)
        await link_and_attach(portal)
        await submit_the_year(portal)
        await read_only(portal)
        assert portal.foreign() == []


async def finish_the_draft(portal: Window, dev_run: DevRun) -> None:
    """Complete the draft, past a field that is wrong, a change made elsewhere and a page that was nearly left."""
    page = portal.page
    draft = str(await page.get_by_role("link", name="Working with grief").get_attribute("id"))
    await press(portal, draft)
    await page.get_by_role("heading", name="Working with grief").wait_for()
    await write(portal, {**REFLECTIONS, "minutes": "an hour"})
    await picture(portal, "portal-draft", top="field-reason")
    await page.evaluate("location.hash = '#/plan'")
    await page.get_by_role("alertdialog", name="Leave without saving?").wait_for()
    await page.keyboard.press("Escape")
    await press(portal, "field-draft", "Space")
    await press(portal, "save")
    await page.locator("#faults:focus li").wait_for()
    await page.keyboard.press("Tab")
    await page.keyboard.press("Enter")
    assert await portal.focused() == "field-minutes"
    await write(portal, {"minutes": "90"})
    path, token = f"/v1/log/{draft.removeprefix('row-')}", dev_run.token("member")
    version = (await asyncio.to_thread(call, dev_run.origin, "GET", path, token))["version"]
    changes = {"provider": "A publisher", "learning": "Written elsewhere."}
    await asyncio.to_thread(call, dev_run.origin, "PATCH", path, token, changes, f'"{version}"')
    await press(portal, "save")
    await announced(portal, "to replace the newer text in: What you learned")
    assert await page.locator("#field-provider").input_value() == "A publisher"
    await press(portal, "save")
    await announced(portal, "Saved. It is complete.")
    entry = await asyncio.to_thread(call, dev_run.origin, "GET", path, token)
    expected = {**REFLECTIONS, "minutes": 90, "provider": "A publisher", "complete": True}
    assert {name: entry[name] for name in expected} == expected


async def link_and_attach(portal: Window) -> None:
    """Link the entry with the plan and add a file, which is downloaded again."""
    page = portal.page
    assert await portal.focused() == "save"
    await press(portal, "plan-item", "ArrowDown")
    title = str(await page.locator("#plan-item option:checked").inner_text())
    await portal.tab_to("Link")
    await page.keyboard.press("Enter")
    await announced(portal, "Linked.")
    await page.locator("#links li").filter(has_text=title).wait_for()
    await page.locator("#file").set_input_files({"name": "notes.txt", "mimeType": "text/plain", "buffer": b"My notes."})
    await portal.tab_to("Upload")
    await page.keyboard.press("Enter")
    await announced(portal, "notes.txt is uploaded.")
    await portal.tab_to("Download: notes.txt")
    async with page.expect_download() as download:
        await page.keyboard.press("Enter")
    assert (await (await download.value).path()).read_bytes() == b"My notes."


async def submit_the_year(portal: Window) -> None:
    """Find the audit, read the advice, declare, and submit after a question."""
    page = portal.page
    await portal.tab_to("Audit")
    await page.keyboard.press("Enter")
    await page.get_by_role("heading", name="Before you submit").wait_for()
    for declaration in DECLARATIONS:
        await press(portal, declaration, "Space")
    await picture(portal, "portal-audit")
    await press(portal, "submit")
    assert await portal.focused() == "ask-no"
    await page.keyboard.press("Shift+Tab")
    await page.keyboard.press("Enter")
    await announced(portal, "Submitted. Your receipt is")


async def read_only(portal: Window) -> None:
    """The submitted year can be read and exported, and not changed; the years beside it still can."""
    page = portal.page
    await page.get_by_text("Submitted", exact=True).first.wait_for()
    await portal.tab_to("Log")
    await page.keyboard.press("Enter")
    await page.get_by_role("heading", name="Log", exact=True).wait_for()
    await press(portal, "period", "ArrowDown")
    assert await page.locator("#period").input_value() != "current"
    await press(portal, "show")
    await page.locator(".rows .frozen").first.wait_for()
    await portal.tab_to(str(await page.locator(".rows a").first.get_attribute("id")))
    await page.keyboard.press("Enter")
    await page.get_by_text("Submitted for review on").wait_for()
    assert await page.locator("form#record, #file, #plan-item, button.danger").count() == 0
    await picture(portal, "portal-frozen")
    await visit(portal, "exports")
    await portal.tab_to("log.zip")
    async with page.expect_download() as download:
        await page.keyboard.press("Enter")
    assert (await (await download.value).path()).read_bytes().startswith(b"PK")


async def test_what_else_a_member_can_do(dev_run: DevRun, chromium: Browser) -> None:
    """An item is planned and carried forward, a comment posted, an entry deleted and brought back, support let in."""
    async with window(chromium, dev_run.origin) as portal:
        page = portal.page
        await sign_in(portal, "m-1002")
        await visit(portal, "plan/new")
        await page.get_by_label("Title *").fill("Read more on loss")
        await page.get_by_role("button", name="Save").click()
        await page.get_by_role("heading", name="Read more on loss").wait_for()
        await page.get_by_role("button", name="Carry forward").click()
        await announced(portal, "Carried forward.")
        await page.get_by_role("link", name="It goes on from an earlier year").wait_for()

        await visit(portal, "comments")
        await page.get_by_label("Your comment").fill("I was ill in spring. <b>Not markup</b>")
        await page.get_by_role("button", name="Add a comment").click()
        await page.locator(".rows .text", has_text="<b>Not markup</b>").wait_for()

        entry = (await rows(portal, "log"))[0]
        await visit(portal, entry)
        title = await page.locator("#heading").inner_text()
        await page.get_by_role("button", name="Delete").click()
        await page.locator("#ask-yes").click()
        await page.get_by_role("heading", name="Log", exact=True).wait_for()
        await announced(portal, "Deleted.")
        assert await page.locator(f"[id='row-{entry.removeprefix('log/')}']").count() == 0
        async with late_answer(page, re.compile(r"/v1/log\?")):
            await page.get_by_role("button", name="Undo").click()
            await announced(portal, "It is back.")
            await page.get_by_role("heading", name=title).wait_for()
        await announced(portal, "It is back.")

        await visit(portal, "access")
        await page.get_by_label("What they are to help with").fill("I cannot save.")
        await page.get_by_role("button", name="Let them look").click()
        await announced(portal, "They may look now.")
        await asyncio.to_thread(call, dev_run.origin, "GET", "/v1/members/m-1002/log", dev_run.token("support"))
        await page.get_by_role("button", name="Take it back").click()
        await announced(portal, "They may no longer look.")
        await page.locator("ol.rows", has_text="support").wait_for()
        await page.get_by_role("button", name="Sign out").click()
        await announced(portal, "You are signed out.")
        assert await page.evaluate("sessionStorage.length") == 0
        assert (portal.faults, portal.foreign()) == ([], [])
