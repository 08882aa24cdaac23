"""A small LRS over HTTP, for pulling from: ``about`` and ``GET statements`` with paging, and ways to misbehave."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import orjson
from aiohttp import web
from aiohttp.test_utils import TestServer

from bridge.domain.statements import bodies


@dataclass
class Lrs:
    """Holds statements as text, in the order in which they were stored."""

    user: str = "key"
    password: str = "secret"
    versions: tuple[str, ...] = ("1.0.0", "1.0.3")
    page: int = 3
    raw: list[bytes] = field(default_factory=list[bytes])
    requests: list[web.Request] = field(default_factory=list[web.Request])
    failures: list[int] = field(default_factory=list[int])  # statuses of the next answers; 0 is a cut connection
    slow: float = 0.0  # seconds before each answer
    expired: bool = False  # more links of before no longer hold
    more_host: str = ""
    headers: dict[str, str] = field(default_factory=dict[str, str])
    endpoint: str = ""

    def store(self, statement: dict[str, Any], at: str) -> None:
        """Store a statement at an ISO 8601 time."""
        self.raw.append(orjson.dumps({**statement, "stored": at}))

    async def about(self, _request: web.Request) -> web.Response:
        """Answer ``about``."""
        return web.json_response({"version": list(self.versions)})

    async def statements(self, request: web.Request) -> web.StreamResponse:
        """Answer ``GET statements``: by verb and since, oldest first, a page at a time."""
        self.requests.append(request)
        await asyncio.sleep(self.slow)
        refusal = await self._refused(request)
        if refusal is not None:
            return refusal
        query = request.query
        page = [raw for raw in self.raw if self._fits(bodies.lenient(raw), query)]
        start = int(query.get("from", "0"))
        part = page[start : start + self.page]
        next_cursor = ""
        if start + self.page < len(page):
            url = request.rel_url.update_query({"from": str(start + self.page)})
            next_cursor = f"{self.more_host}{url}"
        body = b'{ "more": ' + orjson.dumps(next_cursor) + b',\n "statements": [' + b" , ".join(part) + b"] }"
        return web.Response(body=body, content_type="application/json", headers=self.headers)

    async def _refused(self, request: web.Request) -> web.Response | None:
        credentials = base64.b64encode(f"{self.user}:{self.password}".encode()).decode()
        if request.headers.get("Authorization") != f"Basic {credentials}":
            return web.Response(status=401)
        if "X-Experience-API-Version" not in request.headers or request.query.get("ascending") != "true":
            return web.Response(status=400)
        if self.expired and "from" in request.query:
            return web.Response(status=404)
        status = self.failures.pop(0) if self.failures else 200
        if status == 0 and request.transport is not None:
            request.transport.abort()
        return None if status == 200 else web.Response(status=status or 500)

    def _fits(self, statement: Any, query: Any) -> bool:
        since = query.get("since", "")
        return statement["verb"]["id"] == query["verb"] and statement["stored"] > since


@asynccontextmanager
async def serving(lrs: Lrs) -> AsyncGenerator[Lrs]:
    """Serve it on the loopback meanwhile."""
    app = web.Application()
    app.add_routes([web.get("/xapi/about", lrs.about), web.get("/xapi/statements", lrs.statements)])
    async with TestServer(app) as server:
        lrs.endpoint = str(server.make_url("/xapi"))
        yield lrs
