"""A step in each message's own trace, from taking it to its settling."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from contextlib import contextmanager
from dataclasses import replace

from bridge import tracing
from bridge.tracing import RABBITMQ, Fact
from consumers.completions import Delivery


@contextmanager
def processing(deliveries: Sequence[Delivery], queue: str) -> Generator[None]:
    """Work on a batch; what its statements lead to carries on the trace of each one's message."""
    if tracing.spans() is None:
        yield  # the arrivals have what their messages brought
        return
    parents = [delivery.origin.traceparent for delivery in deliveries]
    facts: dict[str, Fact] = {"messaging.destination.name": queue, "messaging.batch.message_count": len(deliveries)}
    with tracing.spans_of(f"process {queue}", "consumer", parents, {**RABBITMQ, **facts}) as spans:
        for delivery, span in zip(deliveries, spans, strict=True):
            for piece in delivery.pieces:
                piece.arrival = piece.arrival and replace(piece.arrival, traceparent=span.traceparent)
        yield
        for delivery, span in zip(deliveries, spans, strict=True):
            span.note("cpd_bridge.dispositions", ",".join(sorted(delivery.dispositions())))
