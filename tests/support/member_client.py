"""One member's calls to the running portal, answered as they come: for files, streams and headers (see ``portal``)."""

from __future__ import annotations

import uuid
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from aiohttp import ClientResponse, FormData

from bridge import wiring
from bridge.domain.members.members import MembershipCalendar
from bridge.settings import Settings
from tests.support.portal import Client, Portal, portal_over

RENEWAL = datetime(2026, 4, 1, tzinfo=UTC).date()
YEAR = "2026-04-01"
IN_YEAR, BEFORE = "2026-05-04", "2025-05-04"
"""The id of the period 2026-04-01 to 2027-03-31, a day in it, and one in the period before."""


@dataclass
class MemberClient:
    """Calls as one member; the services are at hand for what only they can show."""

    portal: Portal
    member_id: str

    @property
    def client(self) -> Client:
        """Calls as nobody."""
        return self.portal.client

    @property
    def services(self) -> wiring.Services:
        """The services of the application."""
        return self.portal.services

    @property
    def settings(self) -> Settings:
        """The settings of the application."""
        return self.portal.settings

    @property
    def headers(self) -> dict[str, str]:
        """The member's token."""
        return self.portal.browser(self.member_id, "member").headers

    async def call(self, method: str, path: str, headers: Mapping[str, str] | None = None, **options: Any) -> Any:
        """Call once; the response."""
        return await self.client.request(method, path, headers={**self.headers, **(headers or {})}, **options)

    async def get(self, path: str, **query: str) -> dict[str, Any]:
        """Read something that is there."""
        response = await self.call("GET", path, params=query)
        assert response.status == 200, await response.text()
        return await response.json()

    async def other(self) -> MemberClient:
        """Another member at the same service."""
        return await known(self.portal)

    async def entry(self, day: str | None = IN_YEAR) -> str:
        """Make a log entry; its id."""
        body = {"title": "A day on grief", **({"date": day} if day else {})}
        response = await self.call("POST", "/v1/log", json=body)
        assert response.status == 201, await response.text()
        return (await response.json())["id"]

    async def upload(
        self, entry_id: str, name: str, content: Any, headers: Mapping[str, str] | None = None
    ) -> ClientResponse:
        """Send one file to an entry."""
        form = FormData(quote_fields=False)  # as browsers send names
        form.add_field("file", content, filename=name, content_type="application/octet-stream")
        return await self.call("POST", f"/v1/log/{entry_id}/evidence", headers, data=form)

    async def freeze(self, period_id: str = YEAR) -> None:
        """Freeze a period, as a submission for the Register Audit does."""
        period = MembershipCalendar(RENEWAL).period_by_id(period_id)
        assert period is not None
        await self.portal.freeze(self.member_id, period.id, period.start.isoformat(), period.end.isoformat())


async def known(portal: Portal) -> MemberClient:
    """Make a member known."""
    member_id = f"m-{uuid.uuid4().hex[:8]}"
    await portal.member(member_id)
    return MemberClient(portal, member_id)


@asynccontextmanager
async def serving(settings: Settings) -> AsyncGenerator[MemberClient]:
    """Serve the API meanwhile, for a member who is known."""
    async with portal_over(settings) as portal:
        yield await known(portal)
