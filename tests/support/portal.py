"""The real API over the store of the test session, called as a portal does: with a token, ETags and JSON."""

from __future__ import annotations

import uuid
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from aiohttp import ClientResponse, web
from aiohttp.test_utils import TestClient, TestServer
from multidict import CIMultiDictProxy

from bridge import wiring
from bridge.api.app import create_app
from bridge.api.http.connections import Runner, limits_of
from bridge.api.http.context import SETTINGS
from bridge.domain.members.messages import MemberIn
from bridge.serve import parts
from bridge.settings import Settings
from bridge.tokens import dev_token
from tests.support.databases import prepare
from tests.support.statements import member as member_body
from tests.support.storage import storage

Client = TestClient[web.Request, web.Application]


class Server(TestServer):
    """Serves as in production: a handler runs on when its client has gone."""

    async def _make_runner(self, **_options: Any) -> web.BaseRunner:
        return Runner(self.app, limits_of(self.app[SETTINGS]))


LOG_TEXTS = ("description", "reason", "learning", "evaluation", "impact_on_practice")
PLAN_TEXTS = ("learning_need", "relevance", "planned_action", "expected_impact")


def full_entry(**extra: Any) -> dict[str, Any]:
    """The body of an entry with every needed field, finished; ``extra`` replaces fields."""
    texts = {name: f"My {name}." for name in LOG_TEXTS}
    return {"title": "A day on grief", "type": "course", "date": "2026-05-04", "draft": False, **texts, **extra}


def full_item(**extra: Any) -> dict[str, Any]:
    """The body of a plan item with every needed field; ``extra`` replaces fields."""
    texts = {name: f"My {name}." for name in PLAN_TEXTS}
    return {"title": "Older clients", "start_date": "2026-05-01", "completion_date": "2026-11-30", **texts, **extra}


@dataclass(frozen=True)
class Answer:
    """What came back: ``body`` is parsed JSON, or None when there is none."""

    status: int
    headers: CIMultiDictProxy[str]
    body: Any

    @property
    def etag(self) -> str:
        """The entity tag, for ``If-Match``."""
        return self.headers["ETag"]

    @property
    def slug(self) -> str:
        """The kind of problem, such as ``record-frozen``."""
        return str(self.body["type"]).removeprefix("/problems/")

    @property
    def faults(self) -> dict[str, str]:
        """Field → message of a refused input."""
        return {fault["field"]: fault["message"] for fault in self.body["errors"]}


@dataclass(frozen=True)
class Browser:
    """One caller of the API with a token; ``call`` raises nothing for a problem."""

    client: Client
    headers: dict[str, str]

    async def call(self, method: str, path: str, body: Any = None, **headers: str) -> Answer:
        """Send a request; ``if_match`` and ``idempotency_key`` become headers."""
        request_headers = {**self.headers, **{name.replace("_", "-"): value for name, value in headers.items()}}
        extra = {} if body is None else {"json": body}
        async with self.client.request(method, path, headers=request_headers, **extra) as response:
            return Answer(response.status, response.headers, await _body(response))

    async def get(self, path: str, **headers: str) -> Any:
        """The body of a GET that is answered with 200."""
        answer = await self.call("GET", path, **headers)
        assert answer.status == 200, answer.body
        return answer.body

    async def post(self, path: str, body: Any = None, **headers: str) -> Any:
        """The body of a POST that is answered with 201 or 200."""
        answer = await self.call("POST", path, body, **headers)
        assert answer.status in {200, 201}, answer.body
        return answer.body

    async def patch(self, path: str, body: Any, **headers: str) -> Any:
        """The body of a PATCH that goes through, of the version that is there now unless ``if_match`` is given."""
        tag = headers.pop("if_match", None) or (await self.call("GET", path)).etag
        answer = await self.call("PATCH", path, body, if_match=tag, **headers)
        assert answer.status == 200, answer.body
        return answer.body

    async def delete(self, path: str) -> None:
        """DELETE the version that is there now."""
        answer = await self.call("DELETE", path, if_match=(await self.call("GET", path)).etag)
        assert answer.status == 204, answer.body

    async def link(self, entry: dict[str, Any], item: dict[str, Any]) -> None:
        """Link an entry with a plan item."""
        answer = await self.call("PUT", f"/v1/log/{entry['id']}/links/{item['id']}")
        assert answer.status == 204, answer.body

    async def pages(self, path: str) -> list[dict[str, Any]]:
        """Every item of a list, page after page; ``path`` has a query already."""
        items: list[dict[str, Any]] = []
        cursor = ""
        while True:
            page = await self.get(path + cursor)
            items += page["items"]
            if page["next"] is None:
                return items
            cursor = f"&cursor={page['next']}"


async def _body(response: ClientResponse) -> Any:
    is_json = response.content_type.endswith("json")
    return await response.json(content_type=None) if is_json else await response.read() or None


@dataclass
class Portal:
    """The running application with its services."""

    client: Client
    settings: Settings
    services: wiring.Services
    member_ids: set[str] = field(default_factory=set[str])

    async def member(self, member_id: str = "m-1", **extra: Any) -> Browser:
        """A browser of a member, who is made known with the membership year from 1 April unless told otherwise."""
        if member_id not in self.member_ids:
            body = MemberIn.model_validate(member_body(f"account-{member_id}", **extra))
            await self.services.members.put(member_id, body)
            self.member_ids.add(member_id)
        return self.browser(member_id, "member")

    def browser(self, subject: str, *roles: str) -> Browser:
        """A browser of anybody, with these roles."""
        token = dev_token(self.settings.local_dir, subject, roles)
        return Browser(self.client, {"Authorization": f"Bearer {token}"})

    async def freeze(self, member_id: str, period_id: str, start: str, end: str) -> None:
        """Freeze a period as a submission does: the member's list of freezes, and a mark on what lies in it."""
        mark = {"case_id": "case-1", "period_id": period_id, "since": datetime(2026, 6, 1, tzinfo=UTC)}
        live_rows = {"member_id": member_id, "listed": True}
        rows = storage(self.services)
        await rows.members.set({"_id": member_id}, frozen=[{**mark, "start": start, "end": end}])
        await rows.log_entries.set({**live_rows, "period_id": period_id}, frozen=mark)
        await rows.plan_items.set({**live_rows, "span.first": {"$lte": end}, "span.last": {"$gte": start}}, frozen=mark)

    async def thaw(self, member_id: str) -> None:
        """End every freeze of a member."""
        rows = storage(self.services)
        await rows.members.set({"_id": member_id}, frozen=[])
        await rows.log_entries.unset({"member_id": member_id}, "frozen")
        await rows.plan_items.unset({"member_id": member_id}, "frozen")

    async def age_deletion(self, collection: str, record_id: str, days: int) -> None:
        """Let a deletion have happened this many days ago."""
        at = datetime.now(UTC) - timedelta(days=days)
        await storage(self.services).rows(collection).set({"_id": record_id}, deleted_at=at)


def new_key() -> str:
    """An Idempotency-Key that nobody used."""
    return uuid.uuid4().hex


@asynccontextmanager
async def portal_over(settings: Settings) -> AsyncGenerator[Portal]:
    """Run the application over its own services meanwhile."""
    async with wiring.services(settings) as services:
        await prepare(services)
        async with TestClient(Server(create_app(settings, parts(services, settings)))) as client:
            yield Portal(client, settings, services)
