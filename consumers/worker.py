"""The worker: takes statements in batches, records them, settles them; and starts over when a connection breaks.

Two tasks share the work, so that the next batch is decoded and validated while the store works on this one. Nothing is
acknowledged before its outcome is durable. While the store is away a batch is held in hand and tried again; the broker
stops delivering once as much is in hand as was asked for, so no delivery is spent on an outage (invariant 7).
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import asynccontextmanager, suppress

import structlog
from aio_pika.abc import AbstractChannel
from aio_pika.exceptions import ChannelNotFoundEntity

from bridge.broker.connection import AWAY, connection
from bridge.broker.publisher import Publisher
from bridge.broker.topology import Topology
from bridge.domain.arrivals import Arrival
from bridge.domain.dispositions import Outcome, Reason
from bridge.errors import Unavailable
from bridge.logs import failure
from bridge.services.recording import Recording
from bridge.settings import Settings
from consumers.completions import Delivery, Piece, take_in
from consumers.delivery import Inbox, report, settle
from consumers.pauses import Pauses

log = structlog.get_logger(__name__)

WATCH_EVERY = 5.0
"""Seconds between looks at the queue: deleting it gives the consumer no signal."""

BATCH_BYTES = 16 * 2**20
"""A batch holds no more than this, so that large statements do not grow the process."""


class Worker:
    """Consumes ``cpd.completions`` until told to stop."""

    def __init__(
        self,
        settings: Settings,
        topology: Topology,
        recording: Recording,
        report: Callable[[Sequence[Delivery]], None] = report,
    ) -> None:
        self._report = report
        self._settings = settings
        self._topology = topology
        self._recording = recording
        self._stopping = asyncio.Event()
        self.state = "starting"  # "working", or what it waits for: "broker" or "store"

    async def ping(self) -> None:
        """Raise ``Unavailable`` while no messages are taken, for ``/health/ready``."""
        if self.state != "working":
            raise Unavailable(f"waiting for {self.state}")

    def stop(self) -> None:
        """Take no more messages, settle what is in hand, and end."""
        self._stopping.set()

    async def run(self) -> None:
        """Work until stopped; an outage of the broker or the store only makes it wait."""
        pauses = Pauses()
        while not self._stopping.is_set():
            try:
                await self._session(pauses)
            except* (Unavailable, *AWAY) as group:
                self.state = "broker"
                log.warning("broker away", **failure(group.exceptions[0]))
                await pauses.wait(self._stopping)

    async def _session(self, pauses: Pauses) -> None:
        async with self._connected() as (channel, publisher):
            await self._topology.declare(channel)
            inbox = Inbox(await channel.get_queue(self._topology.completions))
            await inbox.open()
            self.state = "working"
            pauses.reset()
            log.info("worker ready", queue=self._topology.completions)
            await self._until_stopped(channel, inbox, publisher)

    @asynccontextmanager
    async def _connected(self) -> AsyncGenerator[tuple[AbstractChannel, Publisher]]:
        """Open one connection to take from and another to publish on, so that neither can block the other."""
        async with connection(self._settings, "worker") as taking, connection(self._settings, "worker out") as giving:
            channel = await taking.channel(publisher_confirms=False)
            await channel.set_qos(prefetch_count=2 * self._settings.batch_size)
            yield channel, Publisher(await giving.channel(publisher_confirms=True, on_return_raises=True))

    async def _until_stopped(self, channel: AbstractChannel, inbox: Inbox, publisher: Publisher) -> None:
        ready: asyncio.Queue[list[Delivery]] = asyncio.Queue(maxsize=1)
        async with asyncio.TaskGroup() as group:
            preparing = group.create_task(self._prepare(inbox, ready))
            recording = group.create_task(self._record(ready, publisher))
            watching = group.create_task(self._watch(channel))
            await self._stopping.wait()
            await inbox.close()
            preparing.cancel()
            watching.cancel()
            await self._finish(ready)
            recording.cancel()

    async def _finish(self, ready: asyncio.Queue[list[Delivery]]) -> None:
        """Let what is prepared be settled, within the time set; what is not comes again to another worker."""
        try:
            async with asyncio.timeout(self._settings.shutdown_timeout):
                await ready.join()
        except TimeoutError:
            log.warning("shutdown before everything in hand was settled")

    async def _prepare(self, inbox: Inbox, ready: asyncio.Queue[list[Delivery]]) -> None:
        limit = self._settings.max_statement_bytes
        while True:
            messages = await inbox.batch(self._settings.batch_size, BATCH_BYTES)
            await ready.put([take_in(message, self._recording.rules, limit) for message in messages])

    async def _record(self, ready: asyncio.Queue[list[Delivery]], publisher: Publisher) -> None:
        while True:
            deliveries = await ready.get()
            await self._outcomes([piece for delivery in deliveries for piece in delivery.pieces if piece.arrival])
            await settle(deliveries, publisher, self._topology)
            self._report(deliveries)
            ready.task_done()

    async def _outcomes(self, pieces: Sequence[Piece]) -> None:
        """Give each piece its outcome: together, or, when that fails, in halves down to the one that is to blame."""
        arrivals = [piece.arrival for piece in pieces if piece.arrival]
        if not arrivals:
            return
        try:
            outcomes = await self._recorded(arrivals)
        except Exception as error:  # whatever a statement provokes must not stop the queue
            log.warning("batch failed", size=len(arrivals), **failure(error))
            await self._apart(pieces)
            return
        for piece, outcome in zip(pieces, outcomes, strict=True):
            piece.outcome = outcome

    async def _apart(self, pieces: Sequence[Piece]) -> None:
        middle = len(pieces) // 2
        if middle:
            await self._outcomes(pieces[:middle])
            await self._outcomes(pieces[middle:])
            return
        (piece,) = pieces
        pauses = Pauses(first=0.05)
        while piece.outcome is None and piece.attempts < self._settings.max_attempts:
            piece.attempts += 1
            await pauses.wait(self._stopping)
            piece.outcome = await self._once_more(piece)
        piece.outcome = piece.outcome or Outcome.dead(
            Reason.EXHAUSTED, f"a statement that can be recorded was expected; {piece.attempts} attempts failed"
        )

    async def _once_more(self, piece: Piece) -> Outcome | None:
        assert piece.arrival is not None
        try:
            return (await self._recorded([piece.arrival]))[0]
        except Exception as error:  # counted as an attempt by the caller
            log.warning("statement failed", statement_id=piece.arrival.statement_id, **failure(error))
            return None

    async def _recorded(self, arrivals: Sequence[Arrival]) -> list[Outcome]:
        """Record, and while the store is away wait and try again: an outage is no statement's fault."""
        pauses = Pauses()
        while True:
            try:
                outcomes = await self._recording.record(arrivals)
            except Unavailable as error:
                self.state = "store"
                log.warning("store away", **failure(error))
                await pauses.wait()
            else:
                self.state = "working"
                return outcomes

    async def _watch(self, channel: AbstractChannel) -> None:
        """Raise when the channel or the queue is gone, so that the session starts over and declares it again."""
        while True:
            with suppress(TimeoutError):
                await asyncio.wait_for(channel.closed(), WATCH_EVERY)
                raise Unavailable("The connection to the broker was lost.")
            try:
                await channel.declare_queue(self._topology.completions, passive=True)
            except ChannelNotFoundEntity as error:
                raise Unavailable("The queue was deleted; it is declared again.") from error
