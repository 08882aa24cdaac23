"""The worker's own little HTTP: ``/health/live``, ``/health/ready`` and ``/metrics``, for probes and Prometheus."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from typing import Final

from aiohttp import web

from bridge.api.http.connections import ConnectionLimits, Runner, listen
from bridge.api.http.health import Ping, readiness
from bridge.api.http.middleware import DRESS, Dress
from bridge.metrics import exposition

LIMITS: Final = ConnectionLimits(connections=100, head=15.0, idle=75.0, answer=30.0)


@asynccontextmanager
async def health(host: str, port: int, pings: Mapping[str, Ping]) -> AsyncGenerator[int]:
    """Serve health and metrics meanwhile; yields the port that was taken (``port`` 0 takes a free one)."""

    async def live(_request: web.Request) -> web.Response:
        return web.json_response({"status": "live"})

    async def ready(_request: web.Request) -> web.Response:
        state = await readiness(pings)
        return web.Response(
            text=state.model_dump_json(),
            status=200 if state.status == "ready" else 503,
            content_type="application/json",
        )

    async def metrics(_request: web.Request) -> web.Response:
        page, kind = exposition()
        return web.Response(body=page, headers={"Content-Type": kind})

    app = web.Application()
    app.add_routes([web.get("/health/live", live), web.get("/health/ready", ready), web.get("/metrics", metrics)])
    app[DRESS] = Dress()
    app.on_response_prepare.append(app[DRESS].on_prepare)
    runner = Runner(app, LIMITS)
    await runner.setup()
    try:
        await listen(runner, host, port, "BRIDGE_METRICS_PORT")
        yield int(runner.addresses[0][1])
    finally:
        await runner.cleanup()
