"""The operations page: what it shows and does, for whoever uses it by whatever means."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from bridge.domain.statements.dispositions import Reason
from bridge.services.operations import dead_letters as operations
from tests.browser.conftest import Desk
from tests.support.browser import Window
from tests.support.statements import HOME, completed, member

pytestmark = pytest.mark.timeout(300)  # seconds as a rule, but minutes on a machine that does much else

TITLE = "CPD bridge operations"
EVIL = "<img src=x onerror=\"document.title='taken'\"><script>document.title='taken'</script>"


TOO_WIDE = """[...document.querySelectorAll("html, main, section, table, ul, ol, li, dialog[open]")]
    .filter(e => e.scrollWidth > e.clientWidth + 1 || e.getBoundingClientRect().right > innerWidth)
    .map(e => e.outerHTML.slice(0, 80))"""


async def texts(window: Window, selector: str, expected: list[str]) -> None:
    """Wait until these elements have these texts."""
    script = "([at, wanted]) => [...document.querySelectorAll(at)].map(e => e.innerText).join() === wanted.join()"
    await window.page.wait_for_function(script, arg=[selector, expected])


async def told(window: Window, text: str) -> None:
    """Wait until the page says that, where a screen reader hears it."""
    await window.page.locator("[role=status], [role=alert]").filter(has_text=text).wait_for()


def quiet(window: Window) -> None:
    """Nothing broke the policy, nothing failed, and nothing was asked of anybody else."""
    assert (window.faults, window.foreign()) == ([], [])


async def test_accessible(desk: Desk, subtests: pytest.Subtests) -> None:
    """axe-core finds nothing: signing in, with everything to show, and with either dialog open."""
    await desk.bridge.send(completed("nobody"))
    await desk.refuse(
        {"no": "statement"}, detail="/context: no other properties than those of the standard " * 5, minutes=33
    )
    for phone, dark in ((False, True), (True, False)):
        with subtests.test(phone=phone, dark=dark):
            async with desk.window(phone=phone, dark=dark) as window:
                page = window.page
                await page.goto(f"{desk.origin}/ops/")
                await page.locator("#token").wait_for()
                assert await window.violations() == []
                await desk.sign_in(window)
                assert await window.violations() == []
                await page.get_by_role("button", name="Show the letter").click()
                await page.get_by_role("dialog", name="Dead letter").wait_for()
                assert await window.violations() == []
                await page.locator("#letter-discard").click()
                await page.get_by_role("alertdialog").wait_for()
                assert await window.violations() == []
                assert await page.evaluate(TOO_WIDE) == []
                quiet(window)


async def test_what_is_shown(desk: Desk) -> None:
    """Queues with depth and age, letters by reason, what is parked, and the state of each dependency."""
    await desk.bridge.send(completed("nobody"), {"no": "statement"}, {"nor": "this"})
    await desk.refuse(b"{", Reason.NOT_JSON)
    async with desk.window() as window:
        await desk.sign_in(window)
        rows = await window.page.locator("#queues tr").all_inner_texts()
        words = {row.split()[0]: row for row in rows}
        assert "3" in words["dead"].split()
        assert "look at these" in words["dead"]
        assert "1" in words["parked"].split()
        await texts(window, "#health li", ["MongoDB: up", "RabbitMQ: up"])
        await texts(window, "#reasons button", ["invalid statement 2", "not json 1"])
        await window.page.get_by_role("button", name="not json 1").click()
        await told(window, "1 dead letter that the filter names.")
        assert await window.page.locator("#letters li").count() == 1
        await window.page.get_by_role("button", name="Clear").click()
        await told(window, "3 dead letters.")
        assert await window.page.locator("#parked li").count() == 1
        quiet(window)


async def test_a_search_answers_in_words(desk: Desk) -> None:
    """By statement, member or identifier: what became of it and why, accessible, and gone when signed out."""
    await desk.bridge.add_member("m-1", member("1001"))
    attempt = completed("1001", result={"completion": False})
    await desk.bridge.send(completed("1001"), attempt)
    async with desk.window() as window:
        await desk.sign_in(window)
        page = window.page
        for text, count in ((attempt["id"], 1), ("m-1", 2), (f"{HOME}|1001", 2)):
            await page.get_by_role("button", name="Reset").click()
            await page.locator("#sought").fill(text)
            await page.keyboard.press("Enter")
            await told(window, f"{count} statement")
            words = await page.locator("#statements li").all_inner_texts()
            assert len(words) == count
            assert any("Ignored on" in line and "it does not say that a person completed" in line for line in words)
        assert await window.violations() == []
        assert await page.evaluate(TOO_WIDE) == []
        await page.locator("#sought").fill("0b1e9a52-6a63-4b39-9d0c-2f5d4d2f7c11")
        await page.keyboard.press("Enter")
        await told(window, "No such statement was received.")
        await page.locator("#sought").fill("m-1")
        await page.keyboard.press("Enter")
        await told(window, "2 statements")
        await page.get_by_role("button", name="Sign out").click()
        assert await page.locator("#statements li").count() == 0
        assert window.foreign() == []
        assert [fault for fault in window.faults if "404" not in fault] == [], (
            "the browser itself notes what is not found"
        )


async def test_text_is_text(desk: Desk) -> None:
    """Whatever a letter holds is shown as text: in its body, masked or not, its detail and its routing key."""
    await desk.refuse({EVIL: EVIL, "actor": {"name": EVIL}}, detail=EVIL, key=f"statement.{EVIL}")
    await desk.refuse(EVIL.encode(), Reason.NOT_JSON)
    async with desk.window() as window:
        await desk.sign_in(window)
        page = window.page
        for letter in range(2):
            await page.get_by_role("button", name="Show the letter").nth(letter).click()
            await page.locator("#letter-reveal").click()
            await page.locator("#confirm-yes").click()
            await page.locator("#letter-shown", has_text="as it came").wait_for()
            assert "onerror" in await page.locator("#letter-body").inner_text()
            await page.keyboard.press("Escape")
        assert EVIL in await page.locator("#letters").inner_text()
        assert await page.locator("img, #content script, #letter script").count() == 0
        assert await page.title() == TITLE
        quiet(window)


async def test_names_are_masked_until_asked_for(desk: Desk) -> None:
    """A body is shown without names; with them only after a question that says it is logged."""
    await desk.refuse({**completed("1001"), "actor": {"mbox": "mailto:sam@example.org", "name": "Sam Example"}})
    async with desk.window() as window:
        await desk.sign_in(window)
        page = window.page
        await page.get_by_role("button", name="Show the letter").click()
        body = page.locator("#letter-body")
        await body.filter(has_text="verb").wait_for()
        assert "sam@example.org" not in await page.content()
        await page.locator("#letter-reveal").click()
        assert "written to the log" in await page.get_by_role("alertdialog").inner_text()
        await page.locator("#confirm-yes").click()
        await body.filter(has_text="sam@example.org").wait_for()
        quiet(window)


async def test_replay_and_discard_by_keyboard(desk: Desk) -> None:
    """Without a mouse: a replayed statement is recorded, a discarded one gone; the focus is never lost."""
    await desk.bridge.add_member("m-1", member("1001"))
    await desk.refuse(completed("1001"))
    async with desk.window() as window:
        await desk.sign_in(window)
        page = window.page
        await window.tab_to(await name_of(window, "Replay the letter"))
        await page.keyboard.press("Enter")
        assert await window.focused() == "confirm-no"
        await page.keyboard.press("Escape")
        assert (await window.focused()).startswith("Replay the letter")
        await page.keyboard.press("Enter")
        await page.keyboard.press("Shift+Tab")
        assert await window.focused() == "confirm-yes"
        await page.keyboard.press("Space")
        await told(window, "1 replayed.")
        assert await window.focused() == "letters-title"
        async with asyncio.timeout(30):
            while len(await desk.bridge.log("m-1")) != 1:
                await asyncio.sleep(0.05)
        await desk.refuse({"no": "statement"})
        await window.tab_to("refresh")
        await page.keyboard.press("Enter")
        await page.locator("#letters li").wait_for()
        await window.tab_to(await name_of(window, "Show the letter"))
        await page.keyboard.press("Enter")
        await page.get_by_role("dialog", name="Dead letter").wait_for()
        assert await window.focused() == "letter-title"
        await window.tab_to("letter-discard")
        await page.keyboard.press("Enter")
        await page.keyboard.press("Shift+Tab")
        await page.keyboard.press("Enter")
        await told(window, "1 discarded.")
        assert await desk.bridge.dead_letters() == []
        quiet(window)


async def name_of(window: Window, begins: str) -> str:
    """The whole accessible name of the button that begins so."""
    return str(await window.page.get_by_role("button", name=begins).get_attribute("aria-label"))


async def test_all_that_a_filter_names(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """More letters than the service deals with at once go in turns; those that the filter leaves out stay."""
    monkeypatch.setattr(operations, "MOST_AT_ONCE", 2)
    for number in range(5):
        await desk.refuse({"number": number}, Reason.INVALID_STATEMENT)
    await desk.refuse(b"{", Reason.NOT_JSON)
    async with desk.window() as window:
        await desk.sign_in(window)
        page = window.page
        await page.locator("#reason").select_option("invalid_statement")
        await page.keyboard.press("Enter")
        await page.get_by_role("button", name="Filter", exact=True).click()
        await told(window, "5 dead letters")
        await page.get_by_role("button", name="Discard all these").click()
        assert "Discard 5 letters?" in await page.get_by_role("alertdialog").inner_text()
        await page.locator("#confirm-yes").click()
        await told(window, "5 discarded.")
        assert [letter.body for letter in await desk.bridge.dead_letters()] == [b"{"]
        quiet(window)


async def test_a_token_that_will_not_do(desk: Desk) -> None:
    """A wrong token, one without the role and one that has expired are told of, and forgotten."""
    async with desk.window() as window:
        page = window.page
        await page.goto(f"{desk.origin}/ops/")
        for token, says in (
            ("nonsense", "The token is not one that this service takes"),
            (desk.token("member"), "This needs the role ops"),
            (desk.token("ops", hours=-1), "The token has expired"),
        ):
            await page.locator("#token").fill(token)
            await page.keyboard.press("Enter")
            await told(window, says)
            assert await window.focused() == "token"
            assert await page.evaluate("sessionStorage.length") == 0
        await desk.sign_in(window)
        await page.reload()
        await page.locator("#letters-count:not(:empty)").wait_for()
        await page.get_by_role("button", name="Sign out").click()
        await told(window, "You are signed out.")
        assert await page.evaluate("sessionStorage.length") == 0
        assert window.foreign() == []


async def test_a_question_ends_with_the_sign_in(desk: Desk) -> None:
    """A token that expires while a question is open takes it away: a later yes is to the later question alone."""
    await desk.refuse({"which": "first"}, minutes=2)
    await desk.refuse({"which": "second"}, minutes=1)
    async with desk.window() as window:
        page = window.page
        await page.clock.install()
        await desk.sign_in(window)
        await page.get_by_role("button", name="Discard the letter").last.click()
        await page.get_by_role("alertdialog").wait_for()
        await page.route("**/v1/ops/queues", lambda route: route.fulfill(status=401, json={"detail": "Expired."}))
        await page.clock.run_for(6_000)
        await told(window, "Expired.")
        await page.unroute_all()
        await page.keyboard.type(desk.token("ops"))
        await page.keyboard.press("Enter")
        await page.locator("#letters li").nth(1).wait_for()
        await page.get_by_role("button", name="Discard the letter").first.click()
        await page.locator("#confirm-yes").click()
        await told(window, "1 discarded.")
        assert [letter.body for letter in await desk.bridge.dead_letters()] == [b'{"which":"first"}']


def looks(window: Window) -> int:
    """How often the queues were asked for."""
    return sum(url.endswith("/v1/ops/queues") for url in window.request_urls)


async def test_looks_for_as_long_as_it_is_seen(desk: Desk) -> None:
    """Figures move by themselves, with a rate; not while the page is paused or hidden."""
    async with desk.window() as window:
        page = window.page
        await page.clock.install()
        await desk.sign_in(window)
        await page.locator("#updated:not(:empty)").wait_for()
        for number in range(10):
            await desk.refuse({"number": number})
        async with page.expect_response("**/v1/ops/dead-letters?**"):
            await page.clock.run_for(6_000)
        row = page.locator("#queues tr", has_text="dead letters")
        await row.locator(".depth", has_text="10").wait_for()
        assert (await row.locator(".rate").inner_text()).startswith("+")
        await page.locator("#letters li").nth(9).wait_for()
        await page.locator("#content:not([aria-busy])").wait_for()
        await page.get_by_role("button", name="Pause").click()
        before = looks(window)
        await page.clock.run_for(20_000)
        assert looks(window) == before
        async with page.expect_response("**/v1/ops/queues"):
            await page.get_by_role("button", name="Pause").click()
        await page.locator("#content:not([aria-busy])").wait_for()
        await hide(page, hidden=True)
        before = looks(window)
        await page.clock.run_for(20_000)
        assert looks(window) == before
        async with page.expect_response("**/v1/ops/queues"):
            await hide(page, hidden=False)
        quiet(window)


async def hide(page: Any, *, hidden: bool) -> None:
    """Let the page think that its tab is hidden, or seen: headless Chromium shows every tab."""
    script = "is => { Object.defineProperty(document, 'hidden', { value: is, configurable: true });"
    await page.evaluate(f"{script} document.dispatchEvent(new Event('visibilitychange')); }}", hidden)


async def test_an_outage_is_told_of(desk: Desk) -> None:
    """A service that does not answer is said to, and the page goes on when it does again."""
    async with desk.window() as window:
        page = window.page
        await desk.sign_in(window)
        await page.route("**/v1/ops/**", lambda route: route.abort())
        await page.route("**/health/ready", lambda route: route.abort())
        await page.get_by_role("button", name="Refresh").click()
        await told(window, "The service does not answer. Trying again …")
        await page.locator("#health li.down", has_text="does not answer").wait_for()
        await page.unroute_all()
        problem = {"title": "The service cannot answer just now", "detail": "The broker does not answer."}
        await page.route("**/v1/ops/queues", lambda route: route.fulfill(status=503, json=problem))
        await page.get_by_role("button", name="Refresh").click()
        await told(window, "The broker does not answer.")
        await page.unroute_all()
        await page.get_by_role("button", name="Refresh").click()
        await page.locator("#health li.up").nth(1).wait_for()
        await page.locator("#problem:empty").wait_for(state="attached")


async def test_it_is_only_files_of_ours(desk: Desk) -> None:
    """The page and its files are served without a token and hold no address of elsewhere; nothing else is there."""
    client = desk.office.client
    for name in ("", "ops.js", "api.js", "dom.js", "queues.js", "letters.js", "parked.js", "dialogs.js", "ops.css"):
        async with client.get(f"/ops/{name}") as answer:
            text = await answer.text()
            assert answer.status == 200
            assert "script-src 'self'" in answer.headers["Content-Security-Policy"]
            assert "'unsafe" not in answer.headers["Content-Security-Policy"]
            assert "//" not in text.replace("// ", "").replace("http://www.w3.org/2000/svg", "")
            assert not any(part in text for part in ("innerHTML", "style=", "onclick="))
        async with client.get(f"/ops/{name}", headers={"If-None-Match": answer.headers["ETag"]}) as again:
            assert again.status == 304
    assert (await client.get("/ops/__init__.py")).status == 404
    assert str((await client.get("/ops")).url).endswith("/ops/")
