"""The life of anything that works over a broker connection: sessions, one after another, until it is told to stop.

A session opens its own connection and ends by an exception when that breaks, or when its queue is deleted. Whatever
ends it, the next begins after a growing pause, from the topology on, so that nothing is half restored.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Coroutine
from contextlib import asynccontextmanager, suppress
from typing import Any, TypeVar

import structlog
from aio_pika.abc import AbstractChannel, AbstractConnection
from aio_pika.exceptions import ChannelNotFoundEntity

from bridge.broker.connection import AWAY, connection
from bridge.broker.publisher import Publisher
from bridge.broker.topology import Topology
from bridge.errors import Unavailable
from bridge.logs import failure
from bridge.settings import Settings
from consumers.backoff import Backoff
from consumers.inbox import Inbox

log = structlog.get_logger(__name__)

R = TypeVar("R")

WATCH_EVERY = 5.0
"""Seconds between looks at the queue: deleting it gives the consumer no signal."""


class Life:
    """Whether it works or what it waits for, and whether it is to stop; ``purpose`` names it in logs and health."""

    def __init__(self, purpose: str) -> None:
        self.purpose = purpose
        self.stopping = asyncio.Event()
        self.state = "starting"  # "working", or what it waits for: "broker" or "store"
        self._pauses = Backoff()

    @property
    def part(self) -> str:
        """Its purpose as one word, for health and metrics."""
        return self.purpose.replace(" ", "_")

    async def ping(self) -> None:
        """Raise ``Unavailable`` while it does not work, for ``/health/ready``."""
        if self.state != "working":
            raise Unavailable(why=f"waiting for {self.state}")

    def stop(self) -> None:
        """Take nothing more, settle what is in hand, and end."""
        self.stopping.set()

    def working(self) -> None:
        """Say that the session stands."""
        self.state = "working"
        self._pauses.reset()

    async def run(self, session: Callable[[], Awaitable[None]]) -> None:
        """Run one session after another until stopped; an outage, or a fault of its own, only makes it wait."""
        while not self.stopping.is_set():
            try:
                await session()
            except* (Unavailable, *AWAY) as group:
                self.state = "broker"
                log.warning("broker away", purpose=self.purpose, **failure(group.exceptions[0]))
            except* Exception as group:  # what one consumer stumbles over must not end the others
                self.state = "itself"
                log.error("session failed", purpose=self.purpose, **failure(group.exceptions[0]))  # noqa: TRY400 - failure() has it
            if self.state != "working":
                await self._pauses.wait(self.stopping)

    async def retry_while_unavailable(self, call: Callable[[], Awaitable[R]]) -> R:
        """Return what ``call`` does, tried again for as long as the store is away."""
        pauses = Backoff()
        while True:
            try:
                result = await call()
            except Unavailable as error:
                self.state = "store"
                log.warning("store away", purpose=self.purpose, why=error.why, **failure(error))
                await pauses.wait()
            else:
                self.state = "working"
                return result

    async def until_stopped(
        self, *work: Coroutine[Any, Any, None], settle: Callable[[], Awaitable[object]] | None = None, within: float = 0
    ) -> None:
        """Do all this at once until told to stop, and then ``settle`` what is in hand, at most ``within`` seconds long.

        A failure of any ends all, and raises.
        """
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(one) for one in work]
            await self.stopping.wait()
            if settle is not None:
                await self._settle(settle, within)
            for task in tasks:
                task.cancel()

    async def _settle(self, settle: Callable[[], Awaitable[object]], within: float) -> None:
        try:
            async with asyncio.timeout(within):
                await settle()
        except TimeoutError:
            log.warning("stopped before everything in hand was settled", purpose=self.purpose)


@asynccontextmanager
async def consume(
    settings: Settings, topology: Topology, queue: str, purpose: str, prefetch: int, most_bytes: int
) -> AsyncGenerator[tuple[AbstractChannel, Inbox, Publisher]]:
    """Open an inbox on a queue and, over a connection of its own, so that neither blocks the other, a publisher."""
    async with connection(settings, purpose) as incoming, connection(settings, f"{purpose} out") as outgoing:
        channel = await incoming.channel(publisher_confirms=False)
        await topology.declare(channel)
        inbox = Inbox(channel, await channel.get_queue(queue), prefetch, most_bytes)
        await inbox.open()
        yield channel, inbox, await publisher_on(outgoing)


async def publisher_on(opened: AbstractConnection) -> Publisher:
    """Return a confirming publisher on an open connection."""
    return Publisher(await opened.channel(publisher_confirms=True, on_return_raises=True))


async def watch_connection(opened: AbstractConnection) -> None:
    """Raise ``Unavailable`` when the connection is gone."""
    await opened.closed()
    raise Unavailable("The connection to the broker was lost.")


async def watch_queue(channel: AbstractChannel, queue: str) -> None:
    """Raise ``Unavailable`` when the channel or the queue is gone, so that the session starts over and declares it."""
    while True:
        with suppress(TimeoutError):
            await asyncio.wait_for(channel.closed(), WATCH_EVERY)
            raise Unavailable("The connection to the broker was lost.")
        try:
            await channel.declare_queue(queue, passive=True)
        except ChannelNotFoundEntity as error:
            raise Unavailable("The queue was deleted; it is declared again.") from error
