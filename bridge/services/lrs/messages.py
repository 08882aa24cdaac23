"""Stored statements as messages for the exchange: what came in one request goes in one message for each verb.

A message may hold an array (api.md, AMQP in), and one of a hundred statements costs the broker and both ends a fraction
of a hundred messages.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

import orjson

from bridge.broker.publisher import Outgoing
from bridge.broker.topology import routing_key
from bridge.domain.lrs.serialization import published
from bridge.domain.statements.bodies import MOST_STATEMENTS
from bridge.store.lrs.rows import Row

MOST_BYTES = 256 * 2**10
"""Bytes of an array, so that what a message holds is soon worked on; a statement that is longer goes alone."""


@dataclass(frozen=True, slots=True)
class Stored:
    """A statement to bring to the broker, and the request that brought it: its correlation id and trace, if known."""

    statement_id: str
    raw: bytes
    added: bytes
    correlation_id: str | None
    traceparent: str | None

    @classmethod
    def of_row(cls, row: Row) -> Self:
        """Take what was just stored."""
        return cls(row.statement_id, row.raw, row.added, row.correlation_id, row.traceparent)

    @classmethod
    def of_document(cls, row: Mapping[str, Any]) -> Self:
        """Take what was read from the store."""
        facts = row["lrs"]
        return cls(row["_id"], row["raw"], facts["added"], facts.get("correlation_id"), facts.get("traceparent"))


def messages(exchange: str, statements: Iterable[Stored], most_bytes: int) -> list[Outgoing]:
    """Return the messages for statements, none longer than ``most_bytes`` unless it holds one statement alone."""
    alike: dict[tuple[str, str | None, str | None], list[tuple[str, bytes]]] = {}
    for one in statements:
        statement = orjson.loads(one.raw)
        kind = routing_key(statement["verb"]["id"]), one.correlation_id, one.traceparent
        alike.setdefault(kind, []).append((one.statement_id, published(one.raw, statement, one.added)))
    return [
        Outgoing(
            exchange,
            key,
            _body([text for _, text in lot]),
            message_id=lot[0][0],
            correlation_id=correlation_id or uuid.uuid4().hex,
            traceparent=traceparent,
        )
        for (key, correlation_id, traceparent), found in alike.items()
        for lot in _lots(found, min(most_bytes, MOST_BYTES))
    ]


def _lots(found: Sequence[tuple[str, bytes]], most_bytes: int) -> Iterator[Sequence[tuple[str, bytes]]]:
    start, size = 0, 1
    for position, (_, text) in enumerate(found):
        size += len(text) + 1
        if position > start and (size > most_bytes or position - start == MOST_STATEMENTS):
            yield found[start:position]
            start, size = position, len(text) + 2
    yield found[start:]


def _body(texts: Sequence[bytes]) -> bytes:
    return texts[0] if len(texts) == 1 else b"[" + b",".join(texts) + b"]"
