"""Connections to RabbitMQ, and what counts as the broker being away."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Coroutine
from contextlib import asynccontextmanager
from typing import Any

import aio_pika
import structlog
from aio_pika.abc import AbstractConnection
from aio_pika.exceptions import AMQPError, ChannelInvalidStateError
from aiormq import spec
from aiormq.exceptions import (
    AuthenticationError,
    ConnectionNotAllowed,
    InvalidFrameError,
    ProbableAuthenticationError,
)

from bridge.errors import Unavailable
from bridge.logs import failure
from bridge.settings import Settings

log = structlog.get_logger(__name__)

CONNECT_TIMEOUT = 5.0  # seconds that opening a connection may take

AWAY: tuple[type[BaseException], ...] = (
    AMQPError,
    ChannelInvalidStateError,
    OSError,
    TimeoutError,
    asyncio.InvalidStateError,
)
"""What a broken connection raises, wherever it breaks."""

CANCEL_AGAIN = 0.1  # seconds after which work that has not ended is cancelled again


_decode = spec.Basic.Properties.unmarshal


def _as_far_as_readable(self: spec.Basic.Properties, flags: int, data: bytes) -> None:
    """Decode a message's properties up to the first that cannot be read; the others stay unset.

    The client ends the connection over such a message, at every delivery: one with a timestamp in microseconds, or a
    text that is not UTF-8, would stop its queue for good. It offers no other place to keep it from that.
    """
    try:
        _decode(self, flags, data)
    except Exception as error:  # whatever a publisher wrote there
        log.warning("message properties unreadable", **failure(error))


spec.Basic.Properties.unmarshal = _as_far_as_readable


@asynccontextmanager
async def connection(settings: Settings, purpose: str) -> AsyncGenerator[AbstractConnection]:
    """Open a connection named for its purpose and close it at the end; raises ``Unavailable`` when none can be had.

    A plain connection, not one that restores itself: whoever uses it starts over, so that the topology, the
    consumer and what is unacknowledged are never half restored.
    """
    try:
        amqp = await aio_pika.connect(
            settings.amqp_url.get_secret_value(),
            timeout=CONNECT_TIMEOUT,
            client_properties={"connection_name": f"cpd-bridge {purpose}"},
        )
    except AWAY as error:
        text = "The broker cannot be reached just now; try again shortly."
        raise Unavailable(text, why=_why(error), setting="BRIDGE_AMQP_URL") from error
    try:
        yield amqp
    finally:
        await amqp.close()


def _why(error: BaseException) -> str:
    """Return in a word or two why no connection can be had; the broker's own text may name a user."""
    if isinstance(error, AuthenticationError | ProbableAuthenticationError):
        return "login refused"
    # The client raises the latter when the broker closes the connection in answer to the name of the virtual host.
    is_host = isinstance(error, ConnectionNotAllowed | InvalidFrameError)
    return "virtual host refused" if is_host else "no answer"


async def ping(settings: Settings) -> None:
    """Raise ``Unavailable`` when no connection can be had."""
    async with connection(settings, "health"):
        return


async def cancellable(work: Coroutine[Any, Any, None]) -> None:
    """Do work over the broker that is sure to end when it is cancelled.

    The client can lose a cancellation that comes while it closes a channel; the work would then go on for good, and
    whoever stops it would wait for it. So it is cancelled again until it has ended.
    """
    task = asyncio.create_task(work)
    try:
        await asyncio.shield(task)
    except asyncio.CancelledError:
        while not task.done():
            task.cancel()
            await asyncio.wait([task], timeout=CANCEL_AGAIN)
        raise
