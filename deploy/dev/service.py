"""Development services: what each offers, whoever runs it."""

from __future__ import annotations

from deploy.dev.processes import Process


class ServiceMissing(Exception):
    """A service that is needed can be neither found nor started; the text names the ways out."""


class Service:
    """A broker or a store: where it answers, before and after a restart, and the handles that fault tests pull.

    ``processes`` run it, the one that serves last.
    """

    def __init__(self, url: str, *processes: Process) -> None:
        self.url = url
        self.processes = processes

    def start(self) -> None:
        """Start it and return when it answers; raises ``ProcessFailed``."""

    def check(self) -> None:
        """Raise ``ProcessFailed`` when it has ended by itself."""
        for process in self.processes:
            process.check()

    def stop(self) -> None:
        """Shut it down in order."""
        for process in reversed(self.processes):
            process.stop()

    def discard(self) -> None:
        """End it at once: nobody wants what it holds."""
        for process in reversed(self.processes):
            process.kill()

    def kill(self) -> None:
        """SIGKILL what serves."""
        self.processes[-1].kill()


class External(Service):
    """A service that somebody else runs: used, never started, stopped or watched."""

    def kill(self) -> None:
        """Refuse: a fault test needs a service of its own."""
        raise ServiceMissing("This service belongs to somebody else and is not killed; use private services instead.")
