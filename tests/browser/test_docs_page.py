"""The reference: to be read, found in and moved about in by whatever means."""

from __future__ import annotations

import pytest

from tests.browser.conftest import Desk
from tests.support.browser import PHONE, WIDE, Window

pytestmark = pytest.mark.timeout(300)  # seconds as a rule, but minutes on a machine that does much else


KEEP_KINDS = """() => {
  const seen = new Set();
  for (const part of document.querySelectorAll("article, nav li")) {
    const tags = [...part.querySelectorAll("*")].map((e) => `${e.parentElement.tagName}>${e.tagName}.${e.className}`);
    const kind = [part.tagName, ...new Set(tags)].sort().join();
    if (seen.has(kind)) part.remove();
    seen.add(kind);
  }
  return seen.size;
}"""
"""Leaves one article of each kind, by the elements in it: what is the same a hundred times is looked at once."""

LOOKS = ((False, False), (False, True), (True, False))
"""Whether on a phone, and whether dark."""


async def test_accessible(desk: Desk) -> None:
    """axe-core finds nothing in the reference nor in the page of a problem; nothing is too wide, nothing foreign."""
    async with desk.window() as window:
        for path in ("/docs", "/problems/stale-version"):
            await window.page.goto(f"{desk.origin}{path}")
            for phone, dark in LOOKS:
                await look(window, phone=phone, dark=dark)
                overflow = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
                assert await window.page.evaluate(overflow) == 0
            kinds = await window.page.evaluate(KEEP_KINDS)
            assert kinds > 10 or path != "/docs"
            for phone, dark in LOOKS:
                await look(window, phone=phone, dark=dark)
                assert await window.violations() == []
        assert (window.faults, window.foreign()) == ([], [])


async def look(window: Window, *, phone: bool, dark: bool) -> None:
    """Give the page another size and colour scheme."""
    await window.page.set_viewport_size({**(PHONE if phone else WIDE)})  # pyright: ignore[reportArgumentType]
    await window.page.emulate_media(color_scheme="dark" if dark else "light")


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
