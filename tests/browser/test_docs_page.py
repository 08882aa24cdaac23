"""The reference: to be read, found in and moved about in by whatever means."""

from __future__ import annotations

import pytest

from tests.browser.conftest import Desk

pytestmark = pytest.mark.timeout(300)  # seconds as a rule, but minutes on a machine that does much else


@pytest.mark.parametrize(
    ("phone", "dark"), [(False, False), (False, True), (True, False)], ids=["wide", "dark", "phone"]
)
async def test_accessible(desk: Desk, *, phone: bool, dark: bool) -> None:
    """axe-core finds nothing in the reference nor in the page of a problem; nothing is too wide, nothing foreign."""
    async with desk.window(phone=phone, dark=dark) as window:
        for path in ("/docs", "/problems/stale-version"):
            await window.page.goto(f"{desk.origin}{path}")
            assert await window.violations() == []
            overflow = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
            assert await window.page.evaluate(overflow) == 0
        assert (window.faults, window.foreign()) == ([], [])


async def test_by_keyboard(desk: Desk) -> None:
    """The contents unfold and lead to an operation, and from it to its model; the skip link leads past them."""
    async with desk.window() as window:
        keyboard = window.page.keyboard
        await window.page.goto(f"{desk.origin}/docs")
        await keyboard.press("Tab")
        assert await window.focused() == "Skip to the content"
        await keyboard.press("Enter")
        assert await window.focused() == "main"
        await window.page.goto("about:blank")
        await window.page.goto(f"{desk.origin}/docs")
        await window.tab_to("Log")
        await keyboard.press("Enter")
        await window.tab_to("Change a log entry")
        await keyboard.press("Enter")
        assert await window.focused() == "edit_entry"
        await window.tab_to("LogEntryPatch")
        await keyboard.press("Enter")
        assert await window.focused() == "model-LogEntryPatch"
        assert (window.faults, window.foreign()) == ([], [])
