"""Messages of stored statements: what came in one request goes as one array for each verb (api.md, AMQP in)."""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Iterator, Sequence

import orjson

from bridge.broker import Outgoing, routing_key
from bridge.domain.lrs import LrsRow, message_text
from bridge.domain.statements import MOST_STATEMENTS

MAX_BYTES = 256 * 2**10
"""Bytes of an array, so that what a message holds is soon worked on; a statement that is longer goes alone."""


def messages(exchange: str, rows: Iterable[LrsRow], max_bytes: int) -> list[Outgoing]:
    """Return the messages for statements, none longer than ``max_bytes`` unless it holds one statement alone."""
    groups: dict[tuple[str, str | None, str | None], list[tuple[str, bytes]]] = {}
    for row in rows:
        statement, fields = orjson.loads(row["raw"]), row["lrs"]
        group = routing_key(statement["verb"]["id"]), fields.get("correlation_id"), fields.get("traceparent")
        groups.setdefault(group, []).append((row["_id"], message_text(row["raw"], statement, fields["added"])))
    return [
        Outgoing(
            exchange,
            key,
            _body([text for _, text in part]),
            message_id=part[0][0],
            correlation_id=correlation_id or uuid.uuid4().hex,
            traceparent=traceparent,
        )
        for (key, correlation_id, traceparent), texts in groups.items()
        for part in _split(texts, min(max_bytes, MAX_BYTES))
    ]


def _split(texts: Sequence[tuple[str, bytes]], max_bytes: int) -> Iterator[Sequence[tuple[str, bytes]]]:
    start, size = 0, 1
    for position, (_, text) in enumerate(texts):
        size += len(text) + 1
        if position > start and (size > max_bytes or position - start == MOST_STATEMENTS):
            yield texts[start:position]
            start, size = position, len(text) + 2
    yield texts[start:]


def _body(texts: Sequence[bytes]) -> bytes:
    return texts[0] if len(texts) == 1 else b"[" + b",".join(texts) + b"]"
