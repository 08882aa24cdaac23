"""Events out: publishes the outbox as CloudEvents 1.0 to ``cpd.events``, at least once and in order per member.

One relay works at a time. Its lock lives and dies with the connection it publishes over (``bridge.broker.locks``), so
nothing that it had still to say can come late once another has it; the others ask for the lock now and then.

Of each member one event at a time is on its way, and the next goes out once the broker has confirmed it. The members
are gone through in a round, so that none waits for the backlog of another. The relay rests twice as long as it works.
"""

from __future__ import annotations

import asyncio
import time
from collections import defaultdict
from collections.abc import Iterable
from contextlib import suppress
from itertools import zip_longest

import orjson
import structlog

from bridge.broker.connection import connection
from bridge.broker.locks import acquire
from bridge.broker.publisher import Outgoing, Publisher, open_publisher
from bridge.broker.topology import Topology
from bridge.domain.events import EVENT_MEDIA_TYPE, OutboxEvent, cloud_event
from bridge.metrics import EVENTS
from bridge.settings import Settings
from bridge.store import Outbox
from consumers.consumer import Consumer, watch_connection

log = structlog.get_logger(__name__)

AT_ONCE = 200  # events read, and removed, together

SHORTEST, LONGEST = 0.02, 1.0
"""Seconds between two looks at the outbox: it begins with the shortest and doubles while there is nothing."""

REST = 2.0  # rest, as a multiple of the time that publishing took


class EventPublisher(Consumer):
    """Publishes pending events."""

    purpose = "events out"

    def __init__(self, settings: Settings, topology: Topology, outbox: Outbox) -> None:
        super().__init__(settings)
        self._topology = topology
        self._outbox = outbox
        self._beyond = ""  # where the round through the members goes on

    async def session(self) -> None:
        """Publish over one connection, for as long as it has the lock."""
        async with connection(self._settings, self.purpose) as amqp:
            publisher = await open_publisher(amqp)
            await publisher.declare(self._topology)
            self.mark_working()
            while not await acquire(amqp, f"{self._topology.events}.relay"):
                if await self._stopped_within(LONGEST):
                    return
            log.info("relay ready", exchange=self._topology.events)
            await self.run_until_stopped(self._relay(publisher), watch_connection(amqp))

    async def _relay(self, publisher: Publisher) -> None:
        pause = SHORTEST
        while True:
            start = time.monotonic()
            async with self.in_hand:
                published = await self._publish(publisher)
            pause = SHORTEST if published else min(2 * pause, LONGEST)
            rest = min(REST * (time.monotonic() - start), LONGEST)
            await asyncio.sleep(rest if published else pause)

    async def _publish(self, publisher: Publisher) -> int:
        """Publish what waits, up to ``AT_ONCE`` events, and remove it; returns how many events that were."""
        beyond = self._beyond
        events = await self.retry_while_unavailable(lambda: self._outbox.pending(AT_ONCE, beyond))
        if not events and beyond:  # the end of a round
            self._beyond = ""
            return await self._publish(publisher)
        for together in rounds(events):
            # Nobody has to listen: an event that no queue takes has been delivered to all who wanted it.
            await publisher.publish([self._outgoing(row) for row in together], mandatory=False)
        if events:
            await self.retry_while_unavailable(lambda: self._outbox.delivered(events))
            self._beyond = events[-1]["member_id"] if len(events) == AT_ONCE else ""
        for event in events:
            EVENTS.labels(event["type"]).inc()
        return len(events)

    def _outgoing(self, row: OutboxEvent) -> Outgoing:
        body = orjson.dumps(cloud_event(row, self._settings.event_source))
        return Outgoing(
            self._topology.events,
            row["type"],
            body,
            message_id=row["_id"],
            content_type=EVENT_MEDIA_TYPE,
            traceparent=row.get("traceparent"),
        )

    async def _stopped_within(self, seconds: float) -> bool:
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self.stopping.wait()
        return self.stopping.is_set()


def rounds(rows: Iterable[OutboxEvent]) -> Iterable[list[OutboxEvent]]:
    """Split events into rounds, to be published one after another: none has two of one member, and the order stays."""
    members: defaultdict[str, list[OutboxEvent]] = defaultdict(list)
    for row in rows:
        members[row["member_id"]].append(row)
    return ([row for row in together if row is not None] for together in zip_longest(*members.values()))
