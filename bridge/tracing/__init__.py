"""Traces: W3C trace context carried from publisher to write to event, and OpenTelemetry spans when it is configured.

The context is always carried, so that others' traces go through us. Spans are made only when the standard environment
variables name a collector (docs/decisions/0011); otherwise nothing of OpenTelemetry is imported. Facts of a span are
names of ours, route templates, counts and states: never an id, an address with ids in it, or what somebody wrote.
"""

from __future__ import annotations

import os
import re
from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING, Final, Literal

if TYPE_CHECKING:
    from bridge.tracing.sdk import Spans

Kind = Literal["server", "consumer", "producer"]
Fact = str | int

HEADER: Final = "traceparent"
"""Of HTTP requests and AMQP messages (W3C Trace Context §3.2)."""

RABBITMQ: Final[Mapping[str, Fact]] = {"messaging.system": "rabbitmq"}
"""What OpenTelemetry's conventions for messaging say of every step that has to do with messages."""

_TRACEPARENT = re.compile(r"(?!ff)[0-9a-f]{2}-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}")
_current: ContextVar[str | None] = ContextVar("traceparent", default=None)


class Span:
    """A step of a trace; this one makes nothing, and only carries the context."""

    def __init__(self, traceparent: str | None) -> None:
        self.traceparent = traceparent

    def note(self, name: str, value: Fact) -> None:
        """Add a fact."""

    def fail(self) -> None:
        """Mark the step as failed."""


class _Switch:
    spans: Spans | None = None


_switch: Final = _Switch()


def start(service: str) -> None:
    """Make spans from now on, under this service name unless ``OTEL_SERVICE_NAME`` says another, if configured."""
    if not is_configured(os.environ):
        return
    from bridge.tracing.sdk import Spans  # noqa: PLC0415 - OpenTelemetry costs nothing where it is not wanted

    _switch.spans = Spans(service)


def is_configured(environment: Mapping[str, str]) -> bool:
    """Say whether the environment names a collector for traces, and does not turn them off (OTel SDK configuration)."""
    is_configured = any(environment.get(f"OTEL_EXPORTER_OTLP_{kind}ENDPOINT") for kind in ("", "TRACES_"))
    is_off = environment.get("OTEL_SDK_DISABLED", "").lower() == "true"
    return is_configured and not is_off and environment.get("OTEL_TRACES_EXPORTER", "otlp") == "otlp"


def spans() -> Spans | None:
    """Return what makes spans, or None."""
    return _switch.spans


def valid(traceparent: object) -> str | None:
    """Return a trace context that is well-formed, or None for anything else."""
    return traceparent if isinstance(traceparent, str) and _TRACEPARENT.fullmatch(traceparent) else None


def current() -> str | None:
    """Return the trace context of the work at hand."""
    return _current.get()


@contextmanager
def span(name: str, kind: Kind, parent: str | None, facts: Mapping[str, Fact] | None = None) -> Generator[Span]:
    """Do the work at hand as a step of the parent's trace; it is a trace of its own without a parent."""
    with spans_of(name, kind, [parent], facts or {}) as (only,):
        yield only


@contextmanager
def spans_of(
    name: str, kind: Kind, parents: Sequence[str | None], facts: Mapping[str, Fact]
) -> Generator[Sequence[Span]]:
    """Do work for several parents, a step in each trace; it belongs to the first, whose step links to the others."""
    if _switch.spans is None:
        with _carrying(parents[0]):
            yield [Span(parent) for parent in parents]
    else:
        with _switch.spans.together(name, kind, parents, facts) as spans, _carrying(spans[0].traceparent):
            yield spans


@contextmanager
def _carrying(traceparent: str | None) -> Generator[None]:
    token = _current.set(traceparent)
    try:
        yield
    finally:
        _current.reset(token)
