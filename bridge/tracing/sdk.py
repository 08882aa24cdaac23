"""Spans by the OpenTelemetry SDK, sent as OTLP over HTTP; imported only when traces are configured."""

from __future__ import annotations

import os
from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from typing import Final

from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import SERVICE_NAME, Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from bridge.tracing import HEADER, Fact, Kind, Span

KINDS: Final[Mapping[Kind, trace.SpanKind]] = {
    "server": trace.SpanKind.SERVER,
    "consumer": trace.SpanKind.CONSUMER,
    "producer": trace.SpanKind.PRODUCER,
}

_PROPAGATOR = TraceContextTextMapPropagator()


class _Recorded(Span):
    """A step that is sent to the collector, unless the trace is not sampled."""

    def __init__(self, span: trace.Span) -> None:
        carrier: dict[str, str] = {}
        _PROPAGATOR.inject(carrier, trace.set_span_in_context(span))
        super().__init__(carrier.get(HEADER))
        self.span = span

    def note(self, name: str, value: Fact) -> None:
        """Add a fact."""
        self.span.set_attribute(name, value)

    def fail(self) -> None:
        """Mark the step as failed; its error's words stay here."""
        self.span.set_status(trace.StatusCode.ERROR)


class Spans:
    """The maker of spans; sampling, endpoint, headers and time limits are the SDK's own ``OTEL_…`` variables."""

    def __init__(self, service: str) -> None:
        has_name = "OTEL_SERVICE_NAME" in os.environ
        provider = TracerProvider(resource=Resource.create({} if has_name else {SERVICE_NAME: service}))
        provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
        self.tracer = provider.get_tracer("cpd-bridge")

    @contextmanager
    def together(
        self, name: str, kind: Kind, parents: Sequence[str | None], facts: Mapping[str, Fact]
    ) -> Generator[list[Span]]:
        """Begin a span for each parent; the first is the current one, and linked to the others."""
        contexts = [_of(parent) for parent in parents[1:] if parent]
        links = [trace.Link(trace.get_current_span(context).get_span_context()) for context in contexts]
        spans = [
            _Recorded(
                self.tracer.start_span(name, _of(parent), KINDS[kind], dict(facts), links if position == 0 else None)
            )
            for position, parent in enumerate(parents)
        ]
        try:
            # The words of an error may quote what a member wrote, so the SDK is not shown it.
            with trace.use_span(spans[0].span, record_exception=False, set_status_on_exception=False):
                yield list(spans)
        except BaseException:
            for span in spans:
                span.fail()
            raise
        finally:
            for span in spans:
                span.span.end()


def _of(traceparent: str | None) -> Context:
    return _PROPAGATOR.extract({HEADER: traceparent} if traceparent else {}, Context())
