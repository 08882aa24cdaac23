"""Consumers: whatever works on messages or on time, in sessions one after another, until it is stopped.

Whatever ends a session, the next begins after a growing pause, from the topology on, so that nothing is half restored.
"""

from __future__ import annotations

import asyncio
import random
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from contextlib import suppress
from typing import Any, ClassVar, TypeVar

import structlog
from aio_pika.abc import AbstractChannel, AbstractConnection
from aio_pika.exceptions import ChannelNotFoundEntity

from bridge.broker.connection import AWAY, cancellable, connection
from bridge.broker.deliveries import Inbox, InFlight
from bridge.broker.publisher import Publisher, open_publisher
from bridge.broker.topology import Topology
from bridge.errors import Unavailable
from bridge.logs import failure
from bridge.settings import Settings

log = structlog.get_logger(__name__)

R = TypeVar("R")

Work = Coroutine[Any, Any, None]

WATCH_EVERY = 5.0  # seconds between looks at the queue: deleting it gives the consumer no signal


class Backoff:
    """Pauses that double from ``first`` to ``longest`` seconds, each shortened at random so that workers spread."""

    def __init__(self, first: float = 0.2, longest: float = 5.0) -> None:
        self._first = self._next = first
        self._longest = longest

    def reset(self) -> None:
        """Begin again with the shortest pause."""
        self._next = self._first

    async def wait(self, cut_short: asyncio.Event | None = None) -> None:
        """Wait for the next pause, or until ``cut_short`` is set."""
        pause = self._next * random.uniform(0.5, 1.0)  # nosec B311 - spreads load, guards nothing
        self._next = min(self._next * 2, self._longest)
        with suppress(TimeoutError):
            async with asyncio.timeout(pause):
                await (cut_short or asyncio.Event()).wait()


class Consumer(ABC):
    """One life for all: ``run`` runs one ``session`` after another until ``stop``; ``purpose`` names it in logs.

    ``state`` is ``working``, or what it waits for: ``broker`` or ``store``. Work that a stop is to wait for holds
    ``in_hand``.
    """

    purpose: ClassVar[str]

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._backoff = Backoff()
        self.stopping = asyncio.Event()
        self.in_hand = asyncio.Lock()
        self.state = "starting"

    @property
    def label(self) -> str:
        """Its purpose as one word, for health and metrics."""
        return self.purpose.replace(" ", "_")

    @abstractmethod
    async def session(self) -> None:
        """Work until stopped, or until a connection breaks; call ``mark_working`` once the session stands."""

    async def settle(self) -> None:
        """Settle what is in hand, before the session is stopped."""
        await self.in_hand.acquire()

    async def ping(self) -> None:
        """Raise ``Unavailable`` while it does not work, for ``/health/ready``."""
        if self.state != "working":
            raise Unavailable(why=f"waiting for {self.state}")

    def stop(self) -> None:
        """Take nothing more, settle what is in hand, and end."""
        self.stopping.set()

    def mark_working(self) -> None:
        """Say that the session stands."""
        self.state = "working"
        self._backoff.reset()

    async def run(self) -> None:
        """Run one session after another until stopped; an outage, or a fault of its own, only makes it wait."""
        while not self.stopping.is_set():
            self.in_hand = asyncio.Lock()
            try:
                await self.session()
            except* (Unavailable, *AWAY) as group:
                self.state = "broker"
                error = group.exceptions[0]
                log.warning("broker away", purpose=self.purpose, why=getattr(error, "why", "cut off"), **failure(error))
            except* Exception as group:  # what one consumer stumbles over must not end the others
                self.state = "itself"
                log.error("session failed", purpose=self.purpose, **failure(group.exceptions[0]))  # noqa: TRY400 - failure() has it
            if self.state != "working":
                await self._backoff.wait(self.stopping)

    async def retry_while_unavailable(self, call: Callable[[], Awaitable[R]]) -> R:
        """Return what ``call`` does, tried again for as long as the store is away."""
        backoff = Backoff()
        while True:
            try:
                result = await call()
            except Unavailable as error:
                self.state = "store"
                log.warning("store away", purpose=self.purpose, why=error.why, **failure(error))
                await backoff.wait()
            else:
                self.state = "working"
                return result

    async def run_until_stopped(self, *work: Work) -> None:
        """Do all this at once until stopped, and then ``settle``, within ``shutdown_timeout``.

        A failure of any ends all, and raises.
        """
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(cancellable(part)) for part in work]
            await asyncio.sleep(0)  # all begin: cancelled before that, a part would never be awaited
            await self.stopping.wait()
            try:
                async with asyncio.timeout(self._settings.shutdown_timeout):
                    await self.settle()
            except TimeoutError:
                log.warning("stopped before everything in hand was settled", purpose=self.purpose)
            for task in tasks:
                task.cancel()


class QueueConsumer(Consumer):
    """A consumer of one of our queues, of which ``prefetch`` messages or ``most_bytes`` of them wait at most."""

    prefetch: int
    most_bytes: ClassVar[int]

    def __init__(self, settings: Settings, topology: Topology, queue: str) -> None:
        super().__init__(settings)
        self._topology = topology
        self._queue = queue
        self.in_flight = InFlight()

    @abstractmethod
    def work(self, inbox: Inbox, publisher: Publisher) -> Sequence[Work]:
        """Return what is done at once in a session."""

    async def session(self) -> None:
        """Open an inbox and, over a connection of its own, so that neither blocks the other, a publisher; then work."""
        purpose = self.purpose
        async with connection(self._settings, purpose) as incoming, connection(self._settings, f"{purpose} out") as out:
            channel = await incoming.channel(publisher_confirms=False)
            await self._topology.declare(channel)
            inbox = Inbox(channel, await channel.get_queue(self._queue), self.prefetch, self.most_bytes)
            await inbox.open()
            publisher = await open_publisher(out)
            self.in_flight.clear()
            self.mark_working()
            log.info("consumer ready", purpose=purpose, queue=self._queue)
            await self.run_until_stopped(*self.work(inbox, publisher), watch_queue(channel, self._queue))


async def watch_connection(amqp: AbstractConnection) -> None:
    """Raise ``Unavailable`` when the connection is gone."""
    await amqp.closed()
    raise Unavailable("The connection to the broker was lost.")


async def watch_queue(channel: AbstractChannel, queue: str) -> None:
    """Raise ``Unavailable`` when the channel or the queue is gone, so that the session starts over and declares it."""
    while True:
        with suppress(TimeoutError):
            async with asyncio.timeout(WATCH_EVERY):
                await channel.closed()
            raise Unavailable("The connection to the broker was lost.")
        try:
            await channel.declare_queue(queue, passive=True)
        except ChannelNotFoundEntity as error:
            raise Unavailable("The queue was deleted; it is declared again.") from error
