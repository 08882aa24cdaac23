"""Reads queues and store on a timer for the metrics: the one place that does, and never because somebody scrapes.

It has a connection of its own, and rests ten times as long as the store took, so that recording is not held up.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping, Sequence
from datetime import datetime

from aio_pika.abc import AbstractConnection

from bridge import metrics
from bridge.broker.connection import connection
from bridge.broker.dead_letter_queue import state
from bridge.broker.topology import Topology
from bridge.domain.statements.dispositions import DEAD_LETTER_REASONS, Reason, possible
from bridge.metrics.readings import STATES, QueueReading, Readings, StoreReading
from bridge.services.members.feed import FeedResult
from bridge.services.stores import Stores
from bridge.settings import Settings
from consumers.in_flight import InFlight
from consumers.supervisor import Life, watch_connection

READ_EVERY = 10.0
"""Seconds between two readings."""

REST, LONGEST = 10.0, 40.0
"""Rest, as a multiple of the time that reading the store took, and at most: a reading is shown for a minute."""

FEED_REASONS = DEAD_LETTER_REASONS - {Reason.FUTURE_TIMESTAMP}
"""Why a message of the member feed is refused (``consumers.members``)."""

PATIENCE = 10.0
"""Seconds that the broker may take to tell of all queues."""


class MetricsCollector:
    """Keeps the readings fresh until told to stop.

    ``lives`` are the parts whose state is shown, ``in_hand`` what the consumers of a queue have taken from it.
    """

    def __init__(
        self,
        settings: Settings,
        topology: Topology,
        stores: Stores,
        lives: Sequence[Life],
        in_hand: Mapping[str, InFlight],
        every: float = READ_EVERY,
    ) -> None:
        self._settings = settings
        self._queues = _names(topology)
        self._stores = stores
        self._in_hand = in_hand
        self._every = every
        self._idle_at: dict[str, float] = {}
        self._of_queues, self._of_store = Life("queue readings"), Life("store readings")
        self._lives = [*lives, self._of_queues, self._of_store]
        self._readings = Readings(self._states)

    def stop(self) -> None:
        """Read no more."""
        self._of_queues.stop()
        self._of_store.stop()

    async def run(self) -> None:
        """Work until stopped."""
        for disposition, reason in possible():  # from zero on: the first dead letter is an increase
            metrics.STATEMENTS.labels(disposition, reason or "")
        for result in (*FeedResult, *FEED_REASONS):
            metrics.MEMBER_CHANGES.labels(result)
        with self._readings.shown():
            async with asyncio.TaskGroup() as group:
                group.create_task(self._of_queues.run(self._read_queues))
                group.create_task(self._of_store.run(self._read_store))

    def _states(self) -> dict[str, str]:
        return {life.part: metrics.bounded(life.state, STATES) for life in self._lives}

    async def _read_queues(self) -> None:
        async with connection(self._settings, "metrics") as opened:
            self._of_queues.working()
            await self._of_queues.until_stopped(self._watch_queues(opened), watch_connection(opened))

    async def _watch_queues(self, opened: AbstractConnection) -> None:
        while True:
            async with asyncio.timeout(PATIENCE):
                found = {label: await state(opened, name) for label, name in self._queues.items()}
            there = {label: (one.depth, one.consumers or 0) for label, one in found.items() if one.depth is not None}
            self._readings.note_queues(
                {label: QueueReading(depth, count, self._age(label, depth)) for label, (depth, count) in there.items()}
            )
            await asyncio.sleep(self._every)

    def _age(self, label: str, depth: int) -> float | None:
        """Return the age of a queue's oldest message; without times from the publisher, since when it is not idle."""
        if label == "dead_letters":
            return None  # the mirror has the exact one
        now, taken = time.time(), self._in_hand.get(label, InFlight())
        if not depth and not taken.waits:
            self._idle_at[label] = now
        return max(0.0, now - (taken.oldest_published_at or self._idle_at.setdefault(label, now)))

    async def _read_store(self) -> None:
        self._of_store.working()
        await self._of_store.until_stopped(self._watch_store())

    async def _watch_store(self) -> None:
        while True:
            took = await self._of_store.retry_while_unavailable(self._read)
            await asyncio.sleep(rest(took, self._every))

    async def _read(self) -> float:
        """Read the store; returns the seconds that it took, those of an outage before it not included."""
        began = time.monotonic()
        self._readings.note_store(await self._reading())
        return time.monotonic() - began

    async def _reading(self) -> StoreReading:
        stores = self._stores
        lag, letters = await stores.outbox.lag(), await stores.dead_letters.by_reason()
        backup_at = await stores.measured.backup_at()
        return StoreReading(
            parked=await stores.measured.parked(),
            parked_oldest_seconds=_age(await stores.waiting.parked_since()),
            held=await stores.measured.held(),
            outbox_pending=lag.count,
            outbox_oldest_seconds=lag.age,
            lrs_unsent_oldest_seconds=_age(await stores.lrs.unsent.oldest()),
            dead_letters_oldest_seconds=_age(await stores.dead_letters.oldest()),
            backup_timestamp_seconds=backup_at.timestamp() if backup_at else 0.0,
            dead_letters={reason.value: letters.get(reason.value, 0) for reason in sorted(DEAD_LETTER_REASONS)},
        )


def rest(took: float, every: float) -> float:
    """Return the seconds to rest after reading the store took so many."""
    return max(every, min(REST * took, LONGEST))


def _names(topology: Topology) -> dict[str, str]:
    """Return label → name of each queue; the label has no namespace."""
    names = {"completions": topology.completions, "members": topology.members, "dead_letters": topology.dead_queue}
    return names | ({"notices": topology.notices} if topology.mails else {})


def _age(oldest: datetime | None) -> float:
    return 0.0 if oldest is None else max(0.0, time.time() - oldest.timestamp())
