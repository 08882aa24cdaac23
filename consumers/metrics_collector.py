"""Metrics of queues and store, read on a timer and never because somebody scrapes (docs/decisions/0010)."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime

from aio_pika.abc import AbstractConnection

from bridge import metrics
from bridge.broker.connection import connection
from bridge.broker.dead_letter_queue import state
from bridge.broker.deliveries import InFlight
from bridge.broker.topology import Topology
from bridge.domain.statements.dispositions import DEAD_LETTER_REASONS, Reason, possible
from bridge.metrics.readings import STATES, QueueReading, Readings, StoreReading
from bridge.services.members.members import FeedResult
from bridge.settings import Settings
from bridge.store import Stores
from consumers.consumer import Consumer, watch_connection

READ_EVERY = 10.0  # seconds between two readings

REST, LONGEST = 10.0, 40.0
"""Rest, as a multiple of the time that reading the store took, and at most: a reading is shown for a minute."""

FEED_REASONS = DEAD_LETTER_REASONS - {Reason.FUTURE_TIMESTAMP}
"""Why a message of the member feed is refused (``consumers.members``)."""

PATIENCE = 10.0  # seconds that the broker may take to tell of all queues


class QueueMetrics(Consumer):
    """Reads the queues; ``in_flight`` is what the consumers of each have taken from it."""

    purpose = "queue readings"

    def __init__(
        self,
        settings: Settings,
        topology: Topology,
        in_flight: Mapping[str, InFlight],
        readings: Readings,
        interval: float = READ_EVERY,
    ) -> None:
        super().__init__(settings)
        self._queues = topology.labels | ({"notices": topology.notices} if topology.mails else {})
        self._in_flight = in_flight
        self._readings = readings
        self._interval = interval
        self._idle_at: dict[str, float] = {}

    async def session(self) -> None:
        """Read over one connection, again and again."""
        async with connection(self._settings, "metrics") as amqp:
            self.mark_working()
            await self.run_until_stopped(self._read_queues(amqp), watch_connection(amqp))

    async def _read_queues(self, amqp: AbstractConnection) -> None:
        while True:
            queues: dict[str, QueueReading] = {}
            async with asyncio.timeout(PATIENCE):
                for label, name in self._queues.items():
                    queue = await state(amqp, name)
                    if queue.depth is not None:
                        age = self._age(label, queue.depth)
                        queues[label] = QueueReading(queue.depth, queue.consumers or 0, age)
            self._readings.note_queues(queues)
            await asyncio.sleep(self._interval)

    def _age(self, label: str, depth: int) -> float | None:
        """Return the age of a queue's oldest message; without times from the publisher, since when it is not idle."""
        if label == "dead_letters":
            return None  # the mirror has the exact one
        now, in_flight = time.time(), self._in_flight.get(label, InFlight())
        if not depth and not in_flight.waits:
            self._idle_at[label] = now
        return max(0.0, now - (in_flight.oldest_published_at or self._idle_at.setdefault(label, now)))


class StoreMetrics(Consumer):
    """Reads the store."""

    purpose = "store readings"

    def __init__(self, settings: Settings, stores: Stores, readings: Readings, interval: float = READ_EVERY) -> None:
        super().__init__(settings)
        self._stores = stores
        self._readings = readings
        self._interval = interval

    async def session(self) -> None:
        """Read, again and again."""
        self.mark_working()
        await self.run_until_stopped(self._read_all())

    async def _read_all(self) -> None:
        while True:
            seconds = await self.retry_while_unavailable(self._timed_reading)
            await asyncio.sleep(rest(seconds, self._interval))

    async def _timed_reading(self) -> float:
        """Read the store; returns the seconds that it took, those of an outage before it not included."""
        start = time.monotonic()
        self._readings.note_store(await self._reading())
        return time.monotonic() - start

    async def _reading(self) -> StoreReading:
        stores = self._stores
        lag, letters = await stores.outbox.lag(), await stores.dead_letters.by_reason()
        parked, held = await stores.waiting.sizes()
        backup = await stores.dump.noted("backup")
        return StoreReading(
            parked=parked,
            parked_oldest_seconds=_age(await stores.waiting.parked_since()),
            held=held,
            outbox_pending=lag.count,
            outbox_oldest_seconds=lag.age,
            lrs_unsent_oldest_seconds=_age(await stores.unsent.oldest()),
            dead_letters_oldest_seconds=_age(await stores.dead_letters.oldest()),
            backup_timestamp_seconds=backup["at"].timestamp() if backup else 0.0,
            dead_letters={reason.value: letters.get(reason.value, 0) for reason in sorted(DEAD_LETTER_REASONS)},
        )


@contextmanager
def metrics_consumers(
    settings: Settings,
    topology: Topology,
    stores: Stores,
    consumers: Sequence[Consumer],
    in_flight: Mapping[str, InFlight],
    interval: float = READ_EVERY,
) -> Generator[list[Consumer]]:
    """Give those who read queues and store; what they read, and the state of all ``consumers``, is shown meanwhile."""
    for disposition, reason in possible():  # from zero on: the first dead letter is an increase
        metrics.STATEMENTS.labels(disposition, reason or "")
    for result in (*FeedResult, *FEED_REASONS):
        metrics.MEMBER_CHANGES.labels(result)
    all_consumers = [*consumers]
    readings = Readings(lambda: {consumer.label: metrics.bounded(consumer.state, STATES) for consumer in all_consumers})
    queues = QueueMetrics(settings, topology, in_flight, readings, interval)
    readers: list[Consumer] = [queues, StoreMetrics(settings, stores, readings, interval)]
    all_consumers += readers
    with readings.shown():
        yield readers


def rest(seconds: float, interval: float) -> float:
    """Return the seconds to rest after reading the store took so many seconds."""
    return max(interval, min(REST * seconds, LONGEST))


def _age(oldest: datetime | None) -> float:
    return 0.0 if oldest is None else max(0.0, time.time() - oldest.timestamp())
