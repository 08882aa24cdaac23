"""What is to be stored of what came, and what it voids: decided from what is known, which nothing here reads."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import orjson

from bridge import tracing
from bridge.domain.lrs.index_keys import facts
from bridge.domain.lrs.parsing import Incoming
from bridge.domain.lrs.serialization import assigned, identified, instant, needs_reshaping
from bridge.domain.privacy.redaction import everybody
from bridge.domain.statements.comparison import digest, same
from bridge.domain.statements.ledger import is_same
from bridge.errors import Conflict, Forbidden
from bridge.logs import correlation_id
from bridge.services.lrs.credentials import Credential
from bridge.store.lrs.rows import Attached, Row

Document = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Sent:
    """How statements came: with whose credential, in which version, and with the data of which attachments."""

    by: Credential
    version: str
    attached: set[str]

    def row(self, one: Incoming, at: int) -> Row:
        """Return the row of a statement that is stored at a time."""
        claimed = "1.0.0" if self.version == "1.0.3" else self.version  # xAPI-Data §2.4.10
        return Row(
            statement_id=one.statement_id,
            raw=one.raw,
            digest=digest(one.statement),
            received_at=instant(at),
            at=at,
            added=assigned(one.statement, at, self.by.authority, claimed),
            reshape=needs_reshaping(one.statement),
            untimed="timestamp" not in one.statement,
            found_by=facts(one.statement, self.by.authority),
            people=frozenset(everybody(one.statement, self.by.authority)),
            by=self.by.key,
            named=one.named,
            attached=_attached(one, self.attached),
            traceparent=tracing.current(),
            correlation_id=correlation_id(),
        )

    def row_of_stored(self, row: Row, known: Document, one: Incoming) -> Row:
        """Return the row of a statement that may have come by the queue before: then its text stays as it is there."""
        if not known.get("raw"):
            return row
        statement = orjson.loads(known["raw"])
        stored = replace(one, raw=identified(known["raw"], statement, row.statement_id), statement=statement)
        return replace(self.row(stored, row.at), digest=known["digest"], received_at=known["received_at"])


def distinct(incoming: Sequence[Incoming]) -> dict[str, Incoming]:
    """Return the statements by id; an identical repeat within a batch is one statement (xAPI-Data §2.3.1)."""
    firsts: dict[str, Incoming] = {}
    for one in incoming:
        first = firsts.setdefault(one.statement_id, one)
        if first is not one and not same(first.statement, one.statement):
            raise _conflict()
    return firsts


def _attached(one: Incoming, attached: set[str]) -> tuple[Attached, ...]:
    found = {part["sha2"].lower(): part["contentType"] for part in one.attachments()}
    return tuple(Attached(sha2, kind) for sha2, kind in found.items() if sha2 in attached)


def is_fresh(row: Row, known: Document | None) -> bool:
    """Say whether there is something to store; raises ``Conflict`` for another statement under the same id."""
    if known is None or "digest" not in known:
        return True
    if not is_same(known, row.digest):
        raise _conflict()
    return "lrs" not in known


def _conflict() -> Conflict:
    return Conflict(
        "Another statement was stored under this id, and a stored statement does not change (xAPI-Data §2.3.1)."
    )


def voidings_of(rows: Sequence[Row], known: Mapping[str, Document], by: Credential) -> dict[str, str]:
    """Return target → voiding statement; a voiding statement is not voided (xAPI-Data §2.3.2).

    Raises ``Forbidden`` for one that the credential may not make: what is still to come may be another's.
    """
    voidings = {row.found_by.voids: row.statement_id for row in rows if row.found_by.voids}
    own = {row.statement_id: row for row in rows}
    for target in list(voidings):
        there = known.get(target)
        stored_here = there is not None and "raw" in there
        if not (by.may("all") or (_is_of(there or {}, by) if stored_here else target in own)):
            raise Forbidden("A credential without the scope all voids only what it has stored itself.")
        voids = (there or {}).get("lrs", {}).get("voids") or (own[target].found_by.voids if target in own else None)
        if voids:
            del voidings[target]
    return voidings


def _is_of(stored: Document, by: Credential) -> bool:
    return stored.get("lrs", {}).get("by") == by.key
