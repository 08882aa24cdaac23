"""Measures how long MongoDB takes for each command, by the driver's own events; never what the command says."""

from __future__ import annotations

from pymongo.monitoring import CommandFailedEvent, CommandListener, CommandStartedEvent, CommandSucceededEvent

from bridge.metrics import COMMANDS, STORE_FAILURES, STORE_SECONDS, bounded


class CommandTimes(CommandListener):
    """Observes each command's duration (as the driver saw it, the network included) by the command's name."""

    def started(self, event: CommandStartedEvent) -> None:
        """Do nothing: the duration comes with the end."""

    def succeeded(self, event: CommandSucceededEvent) -> None:
        """Observe a command that the server carried out."""
        STORE_SECONDS.labels(bounded(event.command_name, COMMANDS)).observe(event.duration_micros / 1e6)

    def failed(self, event: CommandFailedEvent) -> None:
        """Observe and count a command that failed, or got no answer."""
        command = bounded(event.command_name, COMMANDS)
        STORE_SECONDS.labels(command).observe(event.duration_micros / 1e6)
        STORE_FAILURES.labels(command).inc()
