"""The ledger's row of a statement: what was received, and its one disposition (invariant 1).

A row may be there before its statement is: a voiding that came first made it (``voided_by`` alone, decision 8), or the
statement was stored over HTTP and the worker has not taken it yet (``lrs``, and no disposition).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from bridge.domain.privacy.redaction import mentions
from bridge.domain.statements import comparison
from bridge.domain.statements.arrivals import Arrival
from bridge.domain.statements.dispositions import Disposition, Outcome, Reason

LedgerRow = dict[str, Any]

WAITING = frozenset({Disposition.PARKED, Disposition.HELD})
"""Dispositions of a statement that is recorded later."""


def received(arrival: Arrival, member_id: str | None, secret: bytes) -> LedgerRow:
    """Return what the ledger keeps of a statement as it came.

    ``about`` finds, for an erasure, whoever is named and is not the member: keyed hashes, by the erasure's ``secret``.
    """
    actor = set[str]() if member_id or arrival.actor_key is None else {arrival.actor_key}
    about = mentions(secret, {*arrival.mentions, *actor})
    facts = {"raw": arrival.raw, "digest": arrival.digest, "received_at": arrival.received_at}
    return {**facts, "about": about} if about else facts


def settled(row: LedgerRow, outcome: Outcome) -> LedgerRow:
    """Return a row with an outcome in place of the one it had; of an erased statement nothing else is kept."""
    if outcome.reason is Reason.ERASED:
        return erased(row)
    facts = {
        "disposition": outcome.disposition.value,
        "reason": outcome.reason.value if outcome.reason else None,
        "member_id": outcome.member_id,
        "entry_id": outcome.entry_id,
    }
    rest = {name: value for name, value in row.items() if name not in facts}
    return {**rest, **{name: value for name, value in facts.items() if value is not None}}


def erased(row: LedgerRow) -> LedgerRow:
    """Return what stays of an erased statement, so that a redelivery is known again; even a digest could be guessed."""
    kept = {name: row[name] for name in ("_id", "received_at", "voided_by") if name in row}
    gone = {"disposition": Disposition.IGNORED.value, "reason": Reason.ERASED.value}
    return {**kept, "raw": b"", "digest": b"", **gone}


def is_erased(row: Mapping[str, Any]) -> bool:
    """Say whether a row is of a statement that was erased."""
    return row.get("reason") == Reason.ERASED.value


def is_same(row: Mapping[str, Any], digest: bytes) -> bool:
    """Say whether a digest is of the statement that a row holds: as it came, or as erasures left it."""
    return any(comparison.is_same(digest, own) for own in (row["digest"], *row.get("redacted", ())))


def duplicate(row: Mapping[str, Any]) -> Outcome:
    """Return the outcome of a statement that the ledger has already (decision 6)."""
    return Outcome(Disposition.DUPLICATE, entry_id=row.get("entry_id"), member_id=row.get("member_id"))


def conflict() -> Outcome:
    """Return the outcome of a statement whose id another one has (decision 6)."""
    return Outcome.dead(Reason.CONFLICT, "/id: an id of its own was expected; another statement was recorded under it")
