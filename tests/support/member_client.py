"""The real API over a real store, called as a member calls it."""

from __future__ import annotations

import uuid
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from aiohttp import ClientResponse, FormData, web
from aiohttp.test_utils import TestClient, TestServer

from bridge import serve, tokens, wiring
from bridge.api.app import create_app
from bridge.domain.periods import MembershipCalendar
from bridge.services.members import MemberIn
from bridge.settings import Settings
from tests.support.statements import member

Client = TestClient[web.Request, web.Application]
RENEWAL = datetime(2026, 4, 1, tzinfo=UTC).date()
YEAR = "2026-04-01"
IN_YEAR, BEFORE = "2026-05-04", "2025-05-04"
"""The id of the period 2026-04-01 to 2027-03-31, a day in it, and one in the period before."""


class Server(TestServer):
    """Serves as in production: a handler runs on when its client has gone."""

    async def _make_runner(self, **options: Any) -> web.BaseRunner:
        return await super()._make_runner(**{**options, "handler_cancellation": False})


@dataclass
class MemberClient:
    """Calls as one member; the services are at hand for what only they can show."""

    client: Client
    services: wiring.Services
    settings: Settings
    member_id: str

    @property
    def headers(self) -> dict[str, str]:
        """The member's token."""
        token = tokens.dev_token(self.settings.local_dir, self.member_id, ["member"])
        return {"Authorization": f"Bearer {token}"}

    async def call(self, method: str, path: str, headers: Mapping[str, str] | None = None, **given: Any) -> Any:
        """Call once; the response."""
        return await self.client.request(method, path, headers={**self.headers, **(headers or {})}, **given)

    async def get(self, path: str, **query: str) -> dict[str, Any]:
        """Read something that is there."""
        response = await self.call("GET", path, params=query)
        assert response.status == 200, await response.text()
        return await response.json()

    async def other(self) -> MemberClient:
        """Another member at the same service."""
        return await known(self.client, self.services, self.settings)

    async def entry(self, day: str | None = IN_YEAR) -> str:
        """Make a log entry; its id."""
        given = {"title": "A day on grief", **({"date": day} if day else {})}
        response = await self.call("POST", "/v1/log", json=given)
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
        freeze = {
            "case_id": "case-1",
            "period_id": period.id,
            "start": period.start.isoformat(),
            "end": period.end.isoformat(),
            "since": datetime(2026, 9, 1, tzinfo=UTC),
        }
        members = self.services.stores.database.collection("members")
        await members.update_one({"_id": self.member_id}, {"$set": {"frozen": [freeze]}})


async def known(client: Client, services: wiring.Services, settings: Settings) -> MemberClient:
    """Make a member known."""
    member_id = f"m-{uuid.uuid4().hex[:8]}"
    await services.members.put(member_id, MemberIn.model_validate(member(member_id)))
    return MemberClient(client, services, settings, member_id)


@asynccontextmanager
async def serving(settings: Settings) -> AsyncGenerator[MemberClient]:
    """Serve the API meanwhile, for a member who is known."""
    async with wiring.services(settings) as services:
        await services.stores.prepare()
        app = create_app(settings, serve.parts(services, settings))
        async with TestClient(Server(app)) as client:
            yield await known(client, services, settings)
