"""Decisions on the statements of a request: what is stored and what they void, by the rows that are there."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, cast

import orjson

from bridge.domain.lrs.index_keys import extract_keys
from bridge.domain.lrs.parsing import IncomingStatement
from bridge.domain.lrs.rows import NewStatement
from bridge.domain.lrs.serialization import assigned_properties, needs_reshaping, to_datetime, with_id
from bridge.domain.privacy.people import everybody
from bridge.domain.statements.comparison import digest, same
from bridge.domain.statements.ledger import AttachmentRow, LedgerRow, is_same
from bridge.errors import Conflict, Forbidden
from schemas.xapi import Part


@dataclass(frozen=True, slots=True)
class StoreContext:
    """The request that statements came in: its credential, version, attachments, and trace."""

    key: str  # the credential's
    authority: Part  # likewise
    may_void_any: bool
    version: str
    attached: frozenset[str]  # hashes of the data that came along
    traceparent: str | None
    correlation_id: str | None

    def new_statement(self, incoming: IncomingStatement, at: int) -> NewStatement:
        """Return a statement as it is stored at a time, in microseconds since 1970."""
        statement = incoming.statement
        version = "1.0.0" if self.version == "1.0.3" else self.version  # xAPI-Data §2.4.10
        return NewStatement(
            statement_id=incoming.statement_id,
            raw=incoming.raw,
            digest=digest(statement),
            received_at=to_datetime(at),
            at=at,
            added=assigned_properties(statement, at, self.authority, version),
            reshape=needs_reshaping(statement),
            untimed="timestamp" not in statement,
            index_keys=extract_keys(statement, self.authority),
            actor_key=incoming.actor_key,
            people=frozenset(everybody(statement, self.authority)),
            by=self.key,
            has_own_id=incoming.has_own_id,
            attached=_attached(incoming, self.attached),
            traceparent=self.traceparent,
            correlation_id=self.correlation_id,
        )

    def complete(self, new: NewStatement, row: LedgerRow | None, incoming: IncomingStatement) -> NewStatement:
        """Return what is stored where a row may be there already: one that came by the queue keeps its text."""
        raw = row.get("raw") if row else None
        if not row or not raw:
            return new
        statement = orjson.loads(raw)
        received = replace(incoming, raw=with_id(raw, statement, new.statement_id), statement=statement)
        dates = {"digest": row.get("digest"), "received_at": row.get("received_at")}
        return replace(self.new_statement(received, new.at), **cast("dict[str, Any]", dates))


def distinct_statements(incoming: Sequence[IncomingStatement]) -> dict[str, IncomingStatement]:
    """Return the statements by id; an identical repeat within a batch is one statement (xAPI-Data §2.3.1)."""
    by_id: dict[str, IncomingStatement] = {}
    for statement in incoming:
        first = by_id.setdefault(statement.statement_id, statement)
        if first is not statement and not same(first.statement, statement.statement):
            raise _conflict()
    return by_id


def _attached(incoming: IncomingStatement, hashes: frozenset[str]) -> list[AttachmentRow]:
    types = {part["sha2"].lower(): part["contentType"] for part in incoming.attachments()}
    return [{"sha2": sha2, "type": media_type} for sha2, media_type in types.items() if sha2 in hashes]


def is_new_statement(statement: NewStatement, row: LedgerRow | None) -> bool:
    """Say whether there is something to store; raises ``Conflict`` for another statement under the same id."""
    if row is None or "digest" not in row:
        return True
    if not is_same(row, statement.digest):
        raise _conflict()
    return "lrs" not in row


def _conflict() -> Conflict:
    return Conflict(
        "Another statement was stored under this id, and a stored statement does not change (xAPI-Data §2.3.1)."
    )


def find_voidings(
    statements: Sequence[NewStatement], rows: Mapping[str, LedgerRow], context: StoreContext
) -> dict[str, str]:
    """Return target → voiding statement; a voiding statement is not voided (xAPI-Data §2.3.2).

    ``rows`` are those that are there, by id. Raises ``Forbidden`` for a voiding that the credential may not make: a
    statement that is still to come may be another's.
    """
    by_id = {statement.statement_id: statement for statement in statements}
    voidings: dict[str, str] = {}
    for statement in statements:
        target = statement.index_keys.voids
        if target is None:
            continue
        row = rows.get(target, LedgerRow(_id=target))
        is_own = row.get("lrs", {}).get("by") == context.key if "raw" in row else target in by_id
        if not (context.may_void_any or is_own):
            raise Forbidden("A credential without the scope all voids only what it has stored itself.")
        target_voids = target in by_id and by_id[target].index_keys.voids
        if not (row.get("lrs", {}).get("voids") or target_voids):
            voidings[target] = statement.statement_id
    return voidings
