"""A span for each MongoDB command that belongs to a trace; imported only when traces are configured."""

from __future__ import annotations

from typing import Final

from opentelemetry import trace
from opentelemetry.instrumentation.pymongo import CommandTracer
from pymongo.monitoring import CommandFailedEvent, CommandStartedEvent

WORDLESS: Final = "UnknownError"


def _without_words(span: trace.Span, event: CommandFailedEvent) -> None:
    """Replace the server's sentence, which may quote a value, by the name of its error code."""
    span.set_status(trace.StatusCode.ERROR, str(event.failure.get("codeName", WORDLESS)))


class CommandSpans(CommandTracer):
    """OpenTelemetry's own listener for pymongo: database, collection and command, without what they are asked for."""

    def __init__(self, tracer: trace.Tracer) -> None:
        super().__init__(tracer, failed_hook=_without_words, capture_statement=False)

    def started(self, event: CommandStartedEvent) -> None:
        """Begin a span, unless no trace is at hand: looking at the outbox again and again is nobody's trace."""
        if trace.get_current_span().is_recording():
            super().started(event)
