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
    async with desk.window(phone=phone, dark=dark) as shown:
        for path in ("/docs", "/problems/stale-version"):
            await shown.page.goto(f"{desk.origin}{path}")
            assert await shown.violations() == []
            overflow = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
            assert await shown.page.evaluate(overflow) == 0
        assert (shown.faults, shown.foreign()) == ([], [])


async def test_by_keyboard(desk: Desk) -> None:
    """The contents unfold and lead to an operation, and from it to its model; the skip link leads past them."""
    async with desk.window() as shown:
        keyboard = shown.page.keyboard
        await shown.page.goto(f"{desk.origin}/docs")
        await keyboard.press("Tab")
        assert await shown.focused() == "Skip to the content"
        await keyboard.press("Enter")
        assert await shown.focused() == "main"
        await shown.page.goto("about:blank")
        await shown.page.goto(f"{desk.origin}/docs")
        await shown.tab_to("Log")
        await keyboard.press("Enter")
        await shown.tab_to("Change a log entry")
        await keyboard.press("Enter")
        assert await shown.focused() == "edit_entry"
        await shown.tab_to("LogEntryPatch")
        await keyboard.press("Enter")
        assert await shown.focused() == "model-LogEntryPatch"
        assert (shown.faults, shown.foreign()) == ([], [])
