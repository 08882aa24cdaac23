"""Development services: what each offers, whoever runs it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol


class ServiceMissing(Exception):
    """A service that is needed can be neither found nor started; the text names the ways out."""


class Service(Protocol):
    """A broker or a store: where it answers, and the handles that fault tests pull."""

    @property
    def url(self) -> str:
        """Where it answers; the same before and after a restart."""
        ...

    def start(self) -> None:
        """Start it and return when it answers; raises ``ProcessFailed``."""
        ...

    def check(self) -> None:
        """Raise ``ProcessFailed`` when it has ended by itself."""
        ...

    def stop(self) -> None:
        """Shut it down in order."""
        ...

    def kill(self) -> None:
        """SIGKILL it."""
        ...


@dataclass(frozen=True)
class External:
    """A service that somebody else runs: used, never started, stopped or watched."""

    url: str

    def start(self) -> None:
        """Nothing to do: it runs."""

    def check(self) -> None:
        """Not ours to watch."""

    def stop(self) -> None:
        """Not ours to stop."""

    def kill(self) -> None:
        """Refuse: a fault test needs a service of its own."""
        raise ServiceMissing("This service belongs to somebody else and is not killed; use private services instead.")
