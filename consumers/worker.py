"""The worker: takes statements in batches, records them, settles them; and starts over when a connection breaks.

Two tasks share the work, so that the next batch is decoded and validated while the store works on this one; both
together are bounded by what they take in memory, unpacked. Nothing is acknowledged before its outcome is durable. While
the store is away a batch is held in hand and tried again; the broker stops delivering once as much is in hand as was
asked for, so no delivery is spent on an outage (invariant 7).
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence

import structlog
from aio_pika.abc import AbstractIncomingMessage

from bridge.broker.publisher import Publisher
from bridge.broker.topology import Topology
from bridge.domain.statements import bodies
from bridge.services.statements.recording import Recording
from bridge.settings import Settings
from consumers.completions import Delivery, read_delivery
from consumers.in_flight import InFlight
from consumers.inbox import Inbox, is_suspect
from consumers.recorder import Recorder
from consumers.settling import report, settle
from consumers.supervisor import Life, consume, watch_queue
from consumers.tracing import processing

log = structlog.get_logger(__name__)

IN_HAND = 12 * 2**20
"""Bytes of memory of all that was taken and is not settled; a single message may take more."""

WAITING = 16 * 2**20
"""Bytes of messages that were delivered and not taken; a single one may have more."""


class Worker:
    """Consumes ``cpd.completions`` until told to stop."""

    def __init__(
        self,
        settings: Settings,
        topology: Topology,
        recording: Recording,
        report: Callable[[Sequence[Delivery]], None] = report,
    ) -> None:
        self._settings = settings
        self._topology = topology
        self._recording = recording
        self._report = report
        self.life = Life("statements")
        self.in_hand = InFlight()

    async def run(self) -> None:
        """Work until stopped; an outage of the broker or the store only makes it wait."""
        await self.life.run(self._session)

    async def _session(self) -> None:
        queue = self._topology.completions
        most = 2 * self._settings.batch_size
        async with consume(self._settings, self._topology, queue, "worker", most, WAITING) as (
            channel,
            inbox,
            publisher,
        ):
            self.in_hand.clear()
            self.life.working()
            log.info("worker ready", queue=queue)
            ready: asyncio.Queue[list[Delivery]] = asyncio.Queue(maxsize=1)

            async def settle_in_hand() -> None:
                await inbox.close()
                await ready.join()

            await self.life.until_stopped(
                self._prepare(inbox, ready),
                self._record(inbox, ready, publisher),
                watch_queue(channel, queue),
                settle=settle_in_hand,
                within=self._settings.shutdown_timeout,
            )

    async def _prepare(self, inbox: Inbox, ready: asyncio.Queue[list[Delivery]]) -> None:
        over: Delivery | None = None
        while True:
            message = over.message if over else await inbox.next()
            suspect = is_suspect(message)
            await self.in_hand.wait_for_room(0, 0 if suspect else IN_HAND)
            first = over or self._taken_in(message)
            await self.in_hand.wait_for_room(first.weight, IN_HAND)
            batch, over = ([first], None) if suspect else self._gathered(inbox, first)
            self.in_hand.add(message, sum(delivery.weight for delivery in batch))
            await ready.put(batch)
            if suspect:
                await ready.join()

    def _gathered(self, inbox: Inbox, first: Delivery) -> tuple[list[Delivery], Delivery | None]:
        """Return a batch of what has come by now, and the one message that was taken and is too much for it."""
        batch, weight, statements = [first], self.in_hand.weight + first.weight, len(first.pieces)
        while len(batch) < self._settings.batch_size and (message := inbox.waiting()) is not None:
            delivery = self._taken_in(message)
            weight, statements = weight + delivery.weight, statements + len(delivery.pieces)
            if weight > IN_HAND or statements > bodies.MOST_STATEMENTS:
                return batch, delivery
            batch.append(delivery)
        return batch, None

    def _taken_in(self, message: AbstractIncomingMessage) -> Delivery:
        return read_delivery(message, self._recording.rules, self._settings.max_statement_bytes)

    async def _record(self, inbox: Inbox, ready: asyncio.Queue[list[Delivery]], publisher: Publisher) -> None:
        settings = self._settings
        recorder = Recorder(self._recording, self.life, settings.batch_size, settings.max_attempts)
        while True:
            deliveries = await ready.get()
            with processing(deliveries, self._topology.completions):
                await recorder.record([piece for delivery in deliveries for piece in delivery.pieces if piece.arrival])
                await settle(deliveries, publisher, self._topology, together=inbox.in_order)
            self.in_hand.remove_oldest()
            self._report(deliveries)
            ready.task_done()
