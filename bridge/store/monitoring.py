"""Metrics of MongoDB's commands, from the driver's own events: durations and failures, never contents."""

from __future__ import annotations

from pymongo.monitoring import CommandFailedEvent, CommandListener, CommandStartedEvent, CommandSucceededEvent

from bridge import tracing
from bridge.metrics import COMMANDS, STORE_FAILURES, STORE_SECONDS, bounded


def listeners() -> list[CommandListener]:
    """Return who is to hear of the commands of a client."""
    spans = tracing.spans()
    if spans is None:
        return [CommandTimes()]
    from bridge.store.tracing import CommandSpans  # noqa: PLC0415 - OpenTelemetry costs nothing where it is not wanted

    return [CommandTimes(), CommandSpans(spans.tracer)]


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
