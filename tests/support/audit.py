"""An audit played through the API: members with a record, and the staff who may, or may not, look at it."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import date
from typing import Any

from aiohttp import FormData, web
from aiohttp.test_utils import TestClient

from bridge import wiring
from bridge.api.app import create_app
from bridge.domain.members.messages import MemberIn
from bridge.serve import parts
from bridge.settings import Settings
from bridge.tokens import DEV_ISSUER, dev_token
from schemas.audit import DECLARATIONS
from tests.support.databases import prepare
from tests.support.portal import Server
from tests.support.statements import member

PERIOD, OTHER_PERIOD = "2026-04-01", "2025-04-01"
IN_PERIOD, BEFORE = "2026-05-04", "2025-05-04"
DECLARATION_BODY = {"declarations": [{"id": name, "accepted": True} for name in DECLARATIONS]}
SECRET = "what I would tell nobody"
"""A member's words, to be looked for where they must not be."""


@dataclass
class Reply:
    """An answer: its status, headers, and body."""

    status: int
    headers: Mapping[str, str]
    raw: bytes
    body: Any

    @property
    def problem(self) -> str:
        """The slug of a problem document, or nothing."""
        is_problem = self.headers.get("Content-Type", "").startswith("application/problem+json")
        return str(self.body["type"]).removeprefix("/problems/") if is_problem else ""


@dataclass
class Office:
    """The API with its services; ``as_`` calls it as somebody."""

    client: TestClient[web.Request, web.Application]
    services: wiring.Services
    settings: Settings
    tokens: dict[tuple[str, str], str] = field(default_factory=dict[tuple[str, str], str])

    async def call(self, subject: str, role: str, method: str, path: str, body: Any = None, **headers: str) -> Reply:
        """Call as a subject with a role; a member's requests carry any version, so that only the rules speak."""
        options: dict[str, Any] = (
            {"data": body} if isinstance(body, FormData) else {} if body is None else {"json": body}
        )
        preconditions = {"If-Match": "*"} if method in {"PATCH", "DELETE"} else {}
        request_headers = {"Authorization": f"Bearer {self._token(subject, role)}", **preconditions, **headers}
        async with self.client.request(method, path, headers=request_headers, **options) as answer:
            raw = await answer.read()
            answer_body = await answer.json() if raw and "json" in answer.content_type else None
            return Reply(answer.status, answer.headers, raw, answer_body)

    def _token(self, subject: str, role: str) -> str:
        if (subject, role) not in self.tokens:
            audience = self.settings.auth_audience
            self.tokens[subject, role] = dev_token(self.settings.local_dir, subject, [role], DEV_ISSUER, audience)
        return self.tokens[subject, role]

    def today(self) -> date:
        """The local day."""
        return self.services.periods.today()

    def member(self, member_id: str) -> Person:
        """Return a member as a caller."""
        return Person(self, member_id, "member")

    def staff(self, role: str = "register", subject: str = "staff-1") -> Person:
        """Return a member of staff as a caller."""
        return Person(self, subject, role)

    async def add_member(self, member_id: str = "m-1", **fields: Any) -> Person:
        """Make a member known."""
        await self.services.members.put(member_id, MemberIn.model_validate(member(member_id, **fields)))
        return self.member(member_id)


@dataclass
class Person:
    """Somebody who calls the API."""

    office: Office
    subject: str
    role: str

    async def __call__(self, method: str, path: str, body: Any = None, **headers: str) -> Reply:
        """Make a call."""
        return await self.office.call(self.subject, self.role, method, path, body, **headers)

    async def good(self, method: str, path: str, body: Any = None, **headers: str) -> Any:
        """Make a call that has to go well; returns the decoded body."""
        reply = await self(method, path, body, **headers)
        assert reply.status < 300, (method, path, reply.status, reply.raw[:2000])
        return reply.body

    async def entry(self, day: str | None = IN_PERIOD, **fields: Any) -> str:
        """Add a log entry; returns its id."""
        body = {"title": "A day on grief", "description": SECRET, **({"date": day} if day else {}), **fields}
        return (await self.good("POST", "/v1/log", body))["id"]

    async def plan_item(self, **fields: Any) -> str:
        """Add a plan item of the period; returns its id."""
        days = {"start_date": "2026-04-10", "completion_date": "2026-06-01"}
        return (await self.good("POST", "/v1/plan", {"title": "Learn of grief", **days, **fields}))["id"]

    async def file(self, entry_id: str, text: str = SECRET) -> str:
        """Add a file of evidence to an entry; returns its id."""
        form = FormData()
        form.add_field("file", text.encode(), filename="notes.txt", content_type="text/plain")
        return (await self.good("POST", f"/v1/log/{entry_id}/evidence", form))["id"]

    async def record(self) -> dict[str, str]:
        """Write a record of every kind of thing; returns what → id."""
        entry, item = await self.entry(), await self.plan_item()
        await self.good("PUT", f"/v1/log/{entry}/links/{item}")
        comment = await self.good("POST", f"/v1/periods/{PERIOD}/comments", {"text": SECRET, "refers_to": entry})
        return {"entry": entry, "item": item, "file": await self.file(entry), "comment": comment["id"]}

    async def submit(self, case_id: str) -> Any:
        """Submit with every declaration."""
        return await self.good("POST", f"/v1/audit/{case_id}/submission", DECLARATION_BODY)

    async def select(self, member_id: str = "m-1", period: str = PERIOD, due_date: date | None = None) -> str:
        """Select a member, as the Register team; returns the case's id."""
        date_fields = {"due_date": due_date.isoformat()} if due_date else {}
        body = {"member_id": member_id, "period_id": period, **date_fields}
        return (await self.good("POST", "/v1/register/cases", body))["id"]

    async def decide(self, case_id: str, decision: str, **fields: Any) -> Any:
        """Decide in a case, as the Register team, with what the decision needs."""
        extra_fields = {"return": {"feedback": "More, please."}, "close": {"outcome": "met"}}.get(decision, {})
        body = {"decision": decision, **extra_fields, **fields}
        return await self.good("POST", f"/v1/register/cases/{case_id}/decisions", body)


@asynccontextmanager
async def office(settings: Settings, services: wiring.Services) -> AsyncGenerator[Office]:
    """Serve the API over these services meanwhile."""
    async with TestClient(Server(create_app(settings, parts(services, settings)))) as client:
        yield Office(client, services, settings)


@asynccontextmanager
async def open_office(settings: Settings) -> AsyncGenerator[Office]:
    """Serve the API over services of its own, with an empty store."""
    async with wiring.services(settings) as services:
        await prepare(services)
        async with office(settings, services) as desk:
            yield desk
