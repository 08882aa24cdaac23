"""The broker and the store together, for tests and for ``cpd-bridge dev``; nothing of them outlives the caller."""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Callable, Generator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from deploy.dev import broker as brokers
from deploy.dev import mongo as stores
from deploy.dev.service import Service, ServiceMissing

R = TypeVar("R")

_LOCK_WITHIN = 15.0  # seconds; what a killed run's children need to end


@dataclass(frozen=True)
class DevServices:
    """Both services, running. ``broker`` and ``mongo`` offer ``start``, ``stop`` and ``kill`` to fault tests."""

    broker: Service
    mongo: Service
    logs: Path

    @property
    def amqp_url(self) -> str:
        """For BRIDGE_AMQP_URL."""
        return self.broker.url

    @property
    def mongo_url(self) -> str:
        """For BRIDGE_MONGO_URL."""
        return self.mongo.url


@contextmanager
def locked(directory: Path) -> Generator[int]:
    """Hold ``directory`` for this run; yields the lock's file descriptor for children to hold too.

    Raises ``ServiceMissing`` when another run holds it.
    """
    directory.mkdir(parents=True, exist_ok=True)
    handle = os.open(directory / "lock", os.O_RDWR | os.O_CREAT, 0o600)
    try:
        _lock(handle, directory)
        yield handle
    finally:
        os.close(handle)


def _lock(handle: int, directory: Path) -> None:
    deadline = time.monotonic() + _LOCK_WITHIN
    while True:
        try:
            return fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() > deadline:
                raise ServiceMissing(
                    f"Another run uses {directory}. Stop it, or set BRIDGE_LOCAL_DIR to another directory."
                ) from None
            time.sleep(0.1)  # flock(2) has no time limit of its own


@contextmanager
def select_services(
    local_dir: Path, *, amqp_url: str | None = None, mongo_url: str | None = None, private: bool = False
) -> Generator[DevServices]:
    """Choose both, not started yet; what is started is stopped at the end. Raises ``ServiceMissing``.

    ``amqp_url`` and ``mongo_url`` are what the environment names, if it does. ``private`` prefers services of our own
    to those, for tests. Data, lock and logs lie under ``local_dir``.
    """
    logs = local_dir / "log"
    with ExitStack() as stack:
        held = (stack.enter_context(locked(local_dir)),)
        dev_services = DevServices(
            brokers.find(amqp_url, local_dir, logs, held, alone=private),
            stores.find(mongo_url, local_dir, logs, held, alone=private),
            logs,
        )
        stack.callback(side_by_side, dev_services.broker.stop, dev_services.mongo.stop)
        yield dev_services


@contextmanager
def services(
    local_dir: Path, *, amqp_url: str | None = None, mongo_url: str | None = None, private: bool = False
) -> Generator[DevServices]:
    """Choose both (``select_services``) and start them; raises ``ServiceMissing`` or ``ProcessFailed``."""
    with select_services(local_dir, amqp_url=amqp_url, mongo_url=mongo_url, private=private) as dev_services:
        side_by_side(dev_services.broker.start, dev_services.mongo.start)
        yield dev_services


def side_by_side(*calls: Callable[[], R]) -> list[R]:
    """Make the calls at once and wait for all, also when Ctrl-C comes meanwhile; raises the first one's error."""
    with ThreadPoolExecutor(len(calls)) as pool:
        return [future.result() for future in [pool.submit(call) for call in calls]]
