"""The ledger's row of a statement: what was received, and its one disposition (invariant 1)."""

from __future__ import annotations

from typing import cast

from bridge.domain.privacy.redaction import mentions
from bridge.domain.statements import comparison
from bridge.domain.statements.arrivals import Arrival
from bridge.domain.statements.dispositions import Disposition, Outcome, Reason
from bridge.domain.statements.rows import LedgerRow

WAITING = frozenset({Disposition.PARKED, Disposition.HELD})
"""Dispositions of a statement that is recorded later."""


def with_statement(row: LedgerRow, arrival: Arrival, member_id: str | None, secret: bytes) -> LedgerRow:
    """Return a row with the statement as it came.

    ``about`` finds, for an erasure, whoever is named and is not the member: keyed hashes, by the erasure's ``secret``.
    """
    actor = set[str]() if member_id or arrival.actor_key is None else {arrival.actor_key}
    about = mentions(secret, {*arrival.mentions, *actor})
    received: LedgerRow = {**row, "raw": arrival.raw, "digest": arrival.digest, "received_at": arrival.received_at}
    return {**received, "about": about} if about else received


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
    return cast("LedgerRow", {**rest, **{name: value for name, value in facts.items() if value is not None}})


def erased(row: LedgerRow) -> LedgerRow:
    """Return what stays of an erased statement, so that a redelivery is known again; even a digest could be guessed."""
    gone: LedgerRow = {
        "_id": row["_id"],
        "raw": b"",
        "digest": b"",
        "disposition": Disposition.IGNORED.value,
        "reason": Reason.ERASED.value,
    }
    if "received_at" in row:
        gone["received_at"] = row["received_at"]
    if "voided_by" in row:
        gone["voided_by"] = row["voided_by"]
    return gone


def is_erased(row: LedgerRow) -> bool:
    """Say whether a row is of a statement that was erased."""
    return row.get("reason") == Reason.ERASED.value


def is_same(row: LedgerRow, digest: bytes) -> bool:
    """Say whether a digest is of the statement that a row holds: as it came, or as erasures left it."""
    return any(comparison.is_same(digest, stored) for stored in (row.get("digest", b""), *row.get("redacted", ())))


def duplicate(row: LedgerRow) -> Outcome:
    """Return the outcome of a statement that the ledger has already (decision 6)."""
    return Outcome(Disposition.DUPLICATE, entry_id=row.get("entry_id"), member_id=row.get("member_id"))


def conflict() -> Outcome:
    """Return the outcome of a statement whose id another one has (decision 6)."""
    return Outcome.dead(Reason.CONFLICT, "/id: an id of its own was expected; another statement was recorded under it")
