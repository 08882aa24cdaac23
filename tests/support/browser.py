"""A real headless Chromium, driven by Playwright, with axe-core; and what it said that nobody should have heard."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from playwright.async_api import Browser, ConsoleMessage, Page, Request, async_playwright

from deploy.dev import apt

CHROMIUM = Path("/usr/bin/chromium")
# Without a sandbox since CI is root in one already; without what Chromium says to others on its own account.
FLAGS = (
    *("--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking"),
    *("--disable-component-update", "--disable-sync"),
)
WIDE, PHONE = {"width": 1280, "height": 900}, {"width": 375, "height": 740}
NARROW = {"width": 320, "height": 225}
"""What ``WIDE`` has room for at 400 %, and so also a page of 320 pixels (WCAG 1.4.10)."""

PATIENCE = 90_000
"""Milliseconds that anything in a page may take; far more than it does, but on a machine that does much else."""


@cache
def chromium() -> Path:
    """The browser, installed when this is root on a Debian; skips the test with the reason when there is none."""
    if not CHROMIUM.exists() and apt.available():
        apt.install("chromium", CHROMIUM)
    if not CHROMIUM.exists():
        pytest.skip("needs Chromium: apt-get install chromium (as root on a Debian the test does it itself)")
    return CHROMIUM


@dataclass
class Window:
    """A page at one size and colour scheme, with the errors and foreign requests that it made."""

    page: Page
    origin: str
    faults: list[str] = field(default_factory=list[str])
    request_urls: list[str] = field(default_factory=list[str])

    def listen(self) -> None:
        """Note whatever the page says of errors, and where it goes."""
        self.page.on("console", self._said)
        self.page.on("pageerror", lambda error: self.faults.append(str(error)))
        self.page.on("request", self._asked)

    def _said(self, message: ConsoleMessage) -> None:
        if message.type in {"error", "warning"}:
            self.faults.append(message.text)

    def _asked(self, request: Request) -> None:
        self.request_urls.append(request.url)

    def foreign(self) -> list[str]:
        """The addresses of another origin that were asked for."""
        return [url for url in self.request_urls if f"{urlsplit(url).scheme}://{urlsplit(url).netloc}" != self.origin]

    async def violations(self) -> list[str]:
        """What axe-core finds wrong, by rule and element."""
        if await self.page.evaluate("!window.axe"):
            await self.page.evaluate((files("axe_playwright_python") / "axe.min.js").read_text())
        report: dict[str, Any] = await self.page.evaluate("axe.run({ resultTypes: ['violations'] })")
        return [
            f"{violation['id']}: {node['target']} {node['html'][:200]}"
            for violation in report["violations"]
            for node in violation["nodes"]
        ]

    async def focused(self) -> str:
        """What has the focus: its id, or its accessible name or text."""
        script = "document.activeElement.id || document.activeElement.ariaLabel || document.activeElement.textContent"
        return str(await self.page.evaluate(script)).strip()

    async def tab_to(self, name: str, limit: int = 60) -> None:
        """Press Tab until that has the focus; fails when it is never reached."""
        for _ in range(limit):
            if await self.focused() == name:
                return
            await self.page.keyboard.press("Tab")
        raise AssertionError(f"{name!r} is not reached by the keyboard; the focus is at {await self.focused()!r}")


@asynccontextmanager
async def browser() -> AsyncGenerator[Browser]:
    """Run Chromium meanwhile."""
    async with async_playwright() as playwright:
        chromium_process = await playwright.chromium.launch(executable_path=chromium(), args=[*FLAGS])
        try:
            yield chromium_process
        finally:
            await chromium_process.close()


@asynccontextmanager
async def window(
    chromium_browser: Browser, origin: str, *, phone: bool = False, dark: bool = False, narrow: bool = False
) -> AsyncGenerator[Window]:
    """Open a window of its own, with nothing stored."""
    context = await chromium_browser.new_context(
        viewport={**(NARROW if narrow else PHONE if phone else WIDE)},  # pyright: ignore[reportArgumentType] - a dict of two ints is one
        color_scheme="dark" if dark else "light",
        reduced_motion="reduce",
    )
    context.set_default_timeout(PATIENCE)
    new_window = Window(await context.new_page(), origin)
    new_window.listen()
    try:
        yield new_window
    finally:
        await context.close()
