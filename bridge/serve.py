"""Serves the API until SIGTERM or SIGINT, then lets open calls end."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager, suppress
from functools import partial
from typing import Any

import structlog
from aiohttp import web

from bridge import wiring
from bridge.api.app import Parts, create_app
from bridge.api.http import service_keys
from bridge.api.http.auth import RateLimit
from bridge.api.http.connections import Runner, limits_of, listen
from bridge.api.http.context import CORRELATION_ID
from bridge.api.http.routing import Routes
from bridge.api.resources import resources
from bridge.broker.connection import cancellable, ping
from bridge.lrs.app import MOUNT, create_lrs
from bridge.settings import Settings

logger = structlog.get_logger(__name__)


def parts(services: wiring.Services, settings: Settings, pages: Sequence[Routes] = ()) -> Parts:
    """Return what the application is made of; ``pages`` are served beside the resources."""
    return Parts(
        resources=[*resources(services.forms), *pages],
        services=_by_key(services),
        pings={"mongodb": services.migrations.ping, "rabbitmq": partial(ping, settings)},
        mounts=mounts(services, settings),
    )


def _by_key(services: wiring.Services) -> dict[web.AppKey[Any], Any]:
    """Return the services that resources ask for: each key is named as the service is."""
    keys: dict[str, web.AppKey[Any]] = {
        name: key for name, key in vars(service_keys).items() if isinstance(key, web.AppKey)
    }
    return {key: getattr(services, name.lower()) for name, key in keys.items()}


def mounts(services: wiring.Services, settings: Settings) -> dict[str, web.Application]:
    """Return the LRS, if the settings name anybody who may use it."""
    if services.lrs is None:
        return {}
    limit = RateLimit(settings.lrs_rate_limit) if settings.lrs_rate_limit else None
    count = limit.count if limit else _uncounted
    return {MOUNT: create_lrs(settings, services.lrs, count, CORRELATION_ID)}


def _uncounted(_key: str) -> None:
    """Let any number of calls through."""


@asynccontextmanager
async def relaying(services: wiring.Services) -> AsyncGenerator[None]:
    """Bring what the LRS stores to the broker meanwhile."""
    if services.lrs is None:
        yield
        return
    relay = asyncio.create_task(cancellable(services.lrs.relay.run()))
    try:
        yield
    finally:
        relay.cancel()
        with suppress(asyncio.CancelledError):
            await relay


async def serve(settings: Settings, pages: Sequence[Routes] = ()) -> None:
    """Run the API, and ``pages`` with it, until a signal; open calls may then end, within ``shutdown_timeout``."""
    async with wiring.services(settings) as services, relaying(services):
        await services.migrations.check_at_start()
        app = create_app(settings, parts(services, settings, pages))
        runner = Runner(app, limits_of(settings), shutdown_timeout=settings.shutdown_timeout)
        await runner.setup()
        await listen(runner, settings.http_host, settings.http_port, "BRIDGE_HTTP_PORT")
        logger.info("api ready", addresses=[str(address) for address in runner.addresses])
        await stop_signal()
        await runner.cleanup()


async def stop_signal() -> None:
    """Wait for SIGTERM or SIGINT."""
    stopping = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopping.set)
    with suppress(asyncio.CancelledError):
        await stopping.wait()
