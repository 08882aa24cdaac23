"""Calls the API over HTTP as a person with a role does."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from typing import Any

from aiohttp import ClientResponse, web
from aiohttp.test_utils import TestClient

from bridge import wiring
from bridge.api.app import create_app
from bridge.serve import parts
from bridge.settings import Settings
from bridge.tokens import DEV_ISSUER, dev_token
from tests.support.portal import Server


@dataclass
class Calls:
    """The API, called with a token of one subject and role."""

    client: TestClient[web.Request, web.Application]
    settings: Settings
    subject: str
    role: str

    async def __call__(self, method: str, path: str, body: Any = None) -> tuple[int, Any]:
        """Make a call; returns the status and the decoded answer."""
        async with self.asked(method, path, body) as answer:
            return answer.status, await answer.json()

    def asked(self, method: str, path: str, body: Any = None) -> AbstractAsyncContextManager[ClientResponse]:
        """Make a call whose answer may be of any kind; gives the answer as it came."""
        token = dev_token(self.settings.local_dir, self.subject, [self.role], DEV_ISSUER, self.settings.auth_audience)
        options: dict[str, Any] = {} if body is None else {"json": body}
        return self.client.request(method, path, headers={"Authorization": f"Bearer {token}"}, **options)

    def by(self, subject: str, role: str) -> Calls:
        """Return the same API, called by another."""
        return Calls(self.client, self.settings, subject, role)


@asynccontextmanager
async def calls(
    settings: Settings, services: wiring.Services, subject: str = "operator", role: str = "ops"
) -> AsyncGenerator[Calls]:
    """Serve the API over these services meanwhile."""
    async with TestClient(Server(create_app(settings, parts(services, settings)))) as client:
        yield Calls(client, settings, subject, role)
