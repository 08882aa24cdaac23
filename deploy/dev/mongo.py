"""The MongoDB of development and tests: SecantusDB's server as a process of its own, never imported (GPL-2.0-only)."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from deploy.dev.ports import LOOPBACK, free_port, is_open
from deploy.dev.processes import Process
from deploy.dev.service import External, Service, ServiceMissing

_START_WITHIN = 180.0  # seconds; one when the machine is idle
_NO_STORE = """There is no MongoDB to use. Either of these is enough:
  - make install (the development dependencies bring an embedded one)
  - set BRIDGE_MONGO_URL to a replica set that runs"""


def config_file(directory: Path) -> Path:
    """Return where the embedded server of a ``directory`` has its own configuration; it is empty by default."""
    return directory / "mongo.toml"


class Embedded(Service):
    """SecantusDB on a port of 127.0.0.1, its data under ``directory`` / mongo; it reports a replica set of one member.

    ``durable``: what it acknowledges is on the disk, as in production. Without it writing is many times faster.
    """

    def __init__(self, server: Path, directory: Path, logs: Path, held: tuple[int, ...], durable: bool) -> None:
        self.port = free_port()
        self._directory = directory / "mongo"
        self._config = config_file(directory)  # named, so that it looks for none in the caller's directories
        argv: list[str | Path] = [server, "--host", LOOPBACK, "--port", str(self.port)]
        argv += ["--storage-path", self._directory, "--config", self._config]
        argv += ["--log-level", "WARNING", *(["--sync-on-commit"] if durable else [])]
        # It sorts all it knows of retryable writes at each one, so it is asked for none.
        url = f"mongodb://{LOOPBACK}:{self.port}/?retryWrites=false"
        super().__init__(url, Process("SecantusDB", argv, logs / "mongo.log", os.environ, held))

    def start(self) -> None:
        """Start it and return when it takes connections; raises ``ProcessFailed``."""
        self._directory.mkdir(parents=True, exist_ok=True)
        self._config.touch()
        self.processes[0].start(lambda: is_open(self.port), _START_WITHIN)


def find(
    url: str | None,
    directory: Path,
    logs: Path,
    held: tuple[int, ...] = (),
    *,
    alone: bool = False,
    durable: bool = True,
) -> Service:
    """The store to use, not yet started: ``url`` when given, else an embedded one; ``alone`` turns that round.

    Raises ``ServiceMissing``.
    """
    server = Path(sys.executable).parent / "secantusd-py"
    if url is not None and not (alone and server.exists()):
        return External(url)
    if not server.exists():
        raise ServiceMissing(_NO_STORE)
    return Embedded(server, directory, logs, held, durable)
