"""Health and metrics: whether the service lives, whether it can work, and what it counts."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import Literal

from aiohttp import web
from pydantic import BaseModel, Field

from bridge.api.http.auth import PUBLIC
from bridge.api.http.context import Call
from bridge.api.http.routing import Answer, Routes
from bridge.errors import Unavailable
from bridge.metrics import exposition

Ping = Callable[[], Awaitable[object]]
"""Asks a dependency for a sign of life; any exception means it is down."""

PING_TIMEOUT = 2.0  # seconds


class Liveness(BaseModel):
    """The process answers."""

    status: Literal["live"] = "live"


class Dependency(BaseModel):
    """One thing the service leans on."""

    state: Literal["up", "down"]
    detail: str | None = Field(
        default=None, exclude_if=lambda detail: detail is None, description="Why, in a word or two."
    )


class ServiceReadiness(BaseModel):
    """Readiness: whether the service can do its work."""

    status: Literal["ready", "unready"]
    dependencies: dict[str, Dependency]


async def _ask(ping: Ping) -> Dependency:
    try:
        async with asyncio.timeout(PING_TIMEOUT):
            await ping()
    except Unavailable as error:
        return Dependency(state="down", detail=error.why)
    except TimeoutError:
        return Dependency(state="down", detail="no answer in time")
    except Exception as error:  # whatever it raises, it is down; its words may hold a password
        return Dependency(state="down", detail=type(error).__name__)
    return Dependency(state="up")


async def readiness(pings: Mapping[str, Ping]) -> ServiceReadiness:
    """Ask all dependencies at once, each for at most ``PING_TIMEOUT`` seconds."""
    states = await asyncio.gather(*(_ask(ping) for ping in pings.values()))
    all_up = all(state.state == "up" for state in states)
    return ServiceReadiness(status="ready" if all_up else "unready", dependencies=dict(zip(pings, states, strict=True)))


def health_routes(pings: Mapping[str, Ping]) -> Routes:
    """``/health/live``, ``/health/ready`` and ``/metrics``."""
    routes = Routes("Service", "Health, metrics and documentation; no token needed.")

    @routes.get("/health/live", roles=PUBLIC, answer=Liveness)
    async def live(_call: Call) -> Liveness:
        """Whether the process answers."""
        return Liveness()

    @routes.get("/health/ready", roles=PUBLIC, answer=ServiceReadiness, status=(200, 503))
    async def ready(_call: Call) -> Answer:
        """Whether each dependency answers."""
        state = await readiness(pings)
        return Answer(state, status=200 if state.status == "ready" else 503)

    @routes.get("/metrics", roles=PUBLIC, gives={"text/plain": {"type": "string"}})
    async def metrics(_call: Call) -> web.Response:
        """Metrics for Prometheus."""
        page, kind = exposition()
        return web.Response(body=page, headers={"Content-Type": kind})

    return routes
