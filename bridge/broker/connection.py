"""Connections to RabbitMQ, and what counts as the broker being away."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

import aio_pika
from aio_pika.abc import AbstractConnection
from aio_pika.exceptions import AMQPError, ChannelInvalidStateError

from bridge.errors import Unavailable
from bridge.settings import Settings

CONNECT_TIMEOUT = 5.0
"""Seconds that opening a connection may take."""

AWAY: tuple[type[BaseException], ...] = (
    AMQPError,
    ChannelInvalidStateError,
    OSError,
    TimeoutError,
    asyncio.InvalidStateError,
)
"""What a broken connection raises, wherever it breaks."""


@asynccontextmanager
async def connection(settings: Settings, purpose: str) -> AsyncGenerator[AbstractConnection]:
    """Open a connection named for its purpose and close it at the end; raises ``Unavailable`` when none can be had.

    A plain connection, not one that restores itself: whoever uses it starts over, so that the topology, the
    consumer and what is unacknowledged are never half restored.
    """
    try:
        opened = await aio_pika.connect(
            settings.amqp_url.get_secret_value(),
            timeout=CONNECT_TIMEOUT,
            client_properties={"connection_name": f"cpd-bridge {purpose}"},
        )
    except AWAY as error:
        raise Unavailable("The broker does not answer; try again shortly.") from error
    try:
        yield opened
    finally:
        await opened.close()


async def ping(settings: Settings) -> None:
    """Raise ``Unavailable`` when no connection can be had."""
    async with connection(settings, "health"):
        return
