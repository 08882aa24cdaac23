"""Gauges that are read from the broker and the store on a timer, and shown from memory at each scrape.

A collector of its own, not ``Gauge`` objects: what is too old to be true is not shown at all, a reason that no letter
has any more disappears, and a process that reads nothing (the API) shows none of them, where a ``Gauge`` shows 0.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Generator, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, fields
from typing import Final

from prometheus_client.core import GaugeMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import REGISTRY, Collector

STALE_AFTER: Final = 60.0
"""Seconds after which a reading is no longer shown."""

STATES: Final = ("working", "starting", "broker", "store", "itself")
"""What a part of the worker does, or waits for."""


@dataclass(frozen=True, slots=True)
class QueueReading:
    """A queue: messages ready, consumers, and the age in seconds of the oldest message that is not settled.

    The age is None where the store knows better (the dead letters).
    """

    messages: int
    consumers: int
    oldest_seconds: float | None


@dataclass(frozen=True, slots=True)
class StoreReading:
    """The counts of what waits in the store; ages in seconds (0: nothing), the backup's time since 1970 (0: never)."""

    parked: int
    parked_oldest_seconds: float
    held: int
    outbox_pending: int
    outbox_oldest_seconds: float
    lrs_unsent_oldest_seconds: float
    dead_letters_oldest_seconds: float
    backup_timestamp_seconds: float
    dead_letters: Mapping[str, int]


HELP: Final = {
    "messages": "Messages that are ready in a queue.",
    "consumers": "Consumers of a queue.",
    "oldest_seconds": "Age of the oldest message of a queue that is not settled (docs/decisions/0010).",
    "parked": "Statements that wait for their actor to become known.",
    "parked_oldest_seconds": "How long the oldest parked statement has waited.",
    "held": "Statements that wait for a freeze to end.",
    "outbox_pending": "Events that wait to be published.",
    "outbox_oldest_seconds": "How long the oldest event has waited to be published.",
    "lrs_unsent_oldest_seconds": "How long the oldest statement that the LRS stored has waited to be published.",
    "dead_letters_oldest_seconds": "How long ago the oldest dead letter failed.",
    "backup_timestamp_seconds": "When the last backup succeeded, since 1970; 0 when none ever did.",
    "dead_letters": "Dead letters, by reason.",
}


class Readings(Collector):
    """The last readings; ``states`` is asked at each scrape and returns part → one of ``STATES``, from memory."""

    def __init__(self, states: Callable[[], Mapping[str, str]]) -> None:
        self._states = states
        self._queues: tuple[float, Mapping[str, QueueReading]] = (0.0, {})
        self._store: tuple[float, StoreReading | None] = (0.0, None)

    @contextmanager
    def shown(self) -> Generator[None]:
        """Show what is noted meanwhile at ``/metrics``."""
        REGISTRY.register(self)
        try:
            yield
        finally:
            REGISTRY.unregister(self)

    def note_queues(self, queues: Mapping[str, QueueReading]) -> None:
        """Show these queues from now on, by name."""
        self._queues = (time.monotonic(), queues)

    def note_store(self, reading: StoreReading) -> None:
        """Show this from now on."""
        self._store = (time.monotonic(), reading)

    def collect(self) -> Iterator[Metric]:
        """Yield every gauge that is fresh."""
        yield self._parts()
        queues_at, queues = self._queues
        if _is_fresh(queues_at):
            yield from _of_queues(queues)
        store_at, reading = self._store
        if reading is not None and _is_fresh(store_at):
            yield from _of_store(reading)

    def _parts(self) -> Metric:
        family = GaugeMetricFamily(
            "cpd_bridge_part_state", "1 for what a part of the worker does, or waits for.", labels=("part", "state")
        )
        for part, current in self._states().items():
            for state in STATES:
                family.add_metric((part, state), float(state == current))
        return family


def _is_fresh(at: float) -> bool:
    return time.monotonic() - at <= STALE_AFTER


def _of_queues(queues: Mapping[str, QueueReading]) -> Iterator[Metric]:
    for name in (field.name for field in fields(QueueReading)):
        family = GaugeMetricFamily(f"cpd_bridge_queue_{name}", HELP[name], labels=("queue",))
        for queue, reading in queues.items():
            if (value := getattr(reading, name)) is not None:
                family.add_metric((queue,), value)
        yield family


def _of_store(reading: StoreReading) -> Iterator[Metric]:
    for name in (field.name for field in fields(StoreReading) if field.name != "dead_letters"):
        yield GaugeMetricFamily(f"cpd_bridge_{name}", HELP[name], value=getattr(reading, name))
    letters = GaugeMetricFamily("cpd_bridge_dead_letters", HELP["dead_letters"], labels=("reason",))
    for reason, count in reading.dead_letters.items():
        letters.add_metric((reason,), count)
    yield letters
