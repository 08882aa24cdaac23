"""``cpd-bridge worker``: everything that runs on messages and on time, in one process."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack

import uvloop

from bridge import wiring
from bridge.cli import configured
from bridge.serve import stop_signal
from bridge.settings import Settings
from consumers.health import health
from consumers.worker import Worker


def worker() -> None:
    """Take statements from RabbitMQ and record them until SIGTERM or Ctrl-C.

    Example: BRIDGE_METRICS_PORT=9090 cpd-bridge worker
    """
    uvloop.run(work(configured()))


async def work(settings: Settings) -> None:
    """Run the worker until a signal comes."""
    async with wiring.services(settings) as services, AsyncExitStack() as stack:
        statements = Worker(settings, wiring.topology(settings), services.recording)
        if settings.metrics_port is not None:
            pings = {"mongodb": services.stores.database.ping, "rabbitmq": statements.ping}
            await stack.enter_async_context(health(settings.http_host, settings.metrics_port, pings))
        async with asyncio.TaskGroup() as group:
            running = group.create_task(statements.run())
            await stop_signal()
            statements.stop()
            await running
