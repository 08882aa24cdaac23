"""The operations page in a real browser, over a worker, a broker and a store that are real too."""

from __future__ import annotations

import uuid
from collections.abc import AsyncGenerator
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import orjson
import pytest
from playwright.async_api import Browser

from bridge.broker.dead_letters import outgoing_dead_letter
from bridge.broker.publisher import Publisher
from bridge.domain.operations.letters import DeadLetter, Origin
from bridge.domain.statements.dispositions import Reason
from bridge.tokens import dev_token
from tests.support.audit import Office, office
from tests.support.browser import Window, browser, window
from tests.support.journey import Journey, mirroring


@dataclass
class Desk:
    """The running service, and a browser for whoever is on call."""

    office: Office
    bridge: Journey
    browser: Browser

    @property
    def origin(self) -> str:
        """Where the service is."""
        return str(self.office.client.make_url("")).rstrip("/")

    def window(self, **options: bool) -> AbstractAsyncContextManager[Window]:
        """Open a window on the service; ``phone`` and ``dark`` say which."""
        return window(self.browser, self.origin, **options)

    def token(self, *roles: str, hours: float = 1) -> str:
        """A token of somebody with these roles."""
        settings = self.office.settings
        return dev_token(settings.local_dir, "on-call", roles, audience=settings.auth_audience, hours=hours)

    async def sign_in(self, window: Window) -> None:
        """Go to the page and sign in by keyboard; returns when the lists are there."""
        await window.page.goto(f"{self.origin}/ops/")
        await window.page.keyboard.type(self.token("ops"))
        await window.page.keyboard.press("Enter")
        await window.page.locator("#letters-count:not(:empty)").wait_for()
        await window.page.locator("#parked-count:not(:empty)").wait_for()

    async def refuse(
        self, body: Any, reason: Reason = Reason.EXHAUSTED, detail: str = "", key: str = "", minutes: int = 0
    ) -> None:
        """Put a dead letter that failed so many minutes ago, as the worker does."""
        topology = self.bridge.topology
        origin = Origin(topology.statements, key or "statement.completed", uuid.uuid4().hex)
        raw = body if isinstance(body, bytes) else orjson.dumps(body)
        failed_at = datetime.now(UTC) - timedelta(minutes=minutes)
        letter = DeadLetter(raw, reason, detail or "something else was expected", origin, failed_at)
        await Publisher(self.bridge.channel).publish([outgoing_dead_letter(letter, topology)])


@pytest.fixture
async def desk(bridge: Journey) -> AsyncGenerator[Desk]:
    """The service with a worker, and a browser."""
    async with (
        mirroring(bridge),
        office(bridge.settings, bridge.services) as staff_office,
        browser() as chromium_browser,
    ):
        yield Desk(staff_office, bridge, chromium_browser)
