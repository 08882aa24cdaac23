"""Serves the API until SIGTERM or SIGINT, then lets open calls end."""

from __future__ import annotations

import asyncio
import signal
from contextlib import suppress
from functools import partial

import structlog
from aiohttp import web

from bridge import wiring
from bridge.api import log as log_resource
from bridge.api import me, members
from bridge.api.app import Parts, create_app
from bridge.api.parts import LOG, MEMBERS, PERIODS
from bridge.broker.connection import ping
from bridge.settings import Settings

logger = structlog.get_logger(__name__)

RESOURCES = (me.routes, log_resource.routes, members.routes)


def parts(services: wiring.Services, settings: Settings) -> Parts:
    """Return what the application is made of."""
    return Parts(
        resources=RESOURCES,
        services={MEMBERS: services.members, PERIODS: services.periods, LOG: services.log},
        pings={"mongodb": services.stores.database.ping, "rabbitmq": partial(ping, settings)},
    )


async def serve(settings: Settings) -> None:
    """Run the API; returns after a signal, once open calls have ended or ``shutdown_timeout`` has passed."""
    async with wiring.services(settings) as services:
        runner = web.AppRunner(
            create_app(settings, parts(services, settings)),
            access_log=None,
            handle_signals=False,
            shutdown_timeout=settings.shutdown_timeout,
        )
        await runner.setup()
        site = web.TCPSite(runner, settings.http_host, settings.http_port)
        await site.start()
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
