"""The fate of a statement as a document and in words: ids, states and times, and no text of the statement."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Final, Literal, TypedDict

from bridge.domain.record.entries import StoredProvenance
from bridge.domain.statements.dispositions import Disposition, Reason, Via
from bridge.domain.statements.ledger import HeldStatement, LedgerRow
from bridge.texts import Text, counted, format_day
from schemas.languages import SOURCE

WaitsFor = Literal["actor", "freeze", "worker"]
"""What a statement waits for: its actor to be known, a freeze to end, or the worker to take it."""


class FailureFacts(TypedDict):
    """The facts of a statement that failed, as its dead letter has them."""

    reason: str  # a ``Reason``
    detail: str  # what was expected; quotes nothing of the body
    failed_at: str  # ISO 8601, UTC


class StatementFate(TypedDict):
    """What became of a statement; null where there is nothing to say."""

    id: str
    disposition: str | None  # a ``Disposition``; None: not settled, or not received
    reason: str | None  # a ``Reason``
    detail: str | None  # of a dead letter: what was expected, and where
    received_at: datetime | None  # of a dead letter: when it failed; None: not received
    via: Via | None
    member_id: str | None  # whose log it was for
    entry_id: str | None  # the entry that it made or joined
    voided_by: str | None  # the statement that voids it
    waits_for: WaitsFor | None
    period_id: str | None  # the frozen year that it waits for


REASONS: Final[Mapping[str, str]] = {
    Reason.NOT_COMPLETED: "it does not say that a person completed something",
    Reason.NOT_CATALOGUE: "its activity is not in the catalogue "
    "(`BRIDGE_CATALOGUE_PREFIXES`, `BRIDGE_CATALOGUE_TYPES`)",
    Reason.BEFORE_GO_LIVE: "it was completed before completions are taken (`BRIDGE_AUTO_LOG_FROM`)",
    Reason.VERB: "its verb is not one that counts (`BRIDGE_VERBS`)",
    Reason.SUB_ACTIVITY: "its activity is a part of one that is in the catalogue itself",
    Reason.ERASED: "the person was erased",
    Reason.NOT_JSON: "it is not JSON",
    Reason.TOO_LARGE: "it is too large (`BRIDGE_MAX_STATEMENT_BYTES`)",
    Reason.INVALID_STATEMENT: "it is not a valid xAPI statement",
    Reason.CONFLICT: "another statement was recorded under its id",
    Reason.FUTURE_TIMESTAMP: "its time lies in the future (`BRIDGE_CLOCK_SKEW`)",
    Reason.EXHAUSTED: "it could not be recorded, though it was tried again and again",
}
"""Reason → why, in words that follow a colon."""

DISPOSITIONS: Final[Mapping[str, str]] = {
    Disposition.RECORDED: "Recorded on {day}: it became a draft in the log.",
    Disposition.MERGED: "Merged on {day}: it tells of what an entry of the log has already.",
    Disposition.IGNORED: "Ignored on {day}: {why}.",
    Disposition.HELD: "Held since {day}: its membership year is frozen for the Register Audit, and it is recorded when "
    "the freeze ends.",
    Disposition.PARKED: "Parked since {day}: its actor is not known, and it is recorded when the membership system "
    "brings the identifier.",
    Disposition.WITHDRAWN: "Received on {day} and withdrawn: it was voided, or voids another.",
    Disposition.DEAD_LETTERED: "Put aside on {day}: {why}. A person should look at the dead letters.",
}
"""Disposition → what a reader is told."""

_WAITS: Final[Mapping[str | None, WaitsFor]] = {Disposition.PARKED: "actor", Disposition.HELD: "freeze", None: "worker"}


def fate_of(
    statement_id: str, row: LedgerRow | None, letter: FailureFacts | None, held: HeldStatement | None = None
) -> StatementFate:
    """Return the fate of a statement: of its row, unless it never came to one and lies among the dead letters."""
    if letter is not None and (row is None or "received_at" not in row):
        return fate_of_letter(statement_id, letter)
    return fate_of_row(row or LedgerRow(_id=statement_id), held)


def fate_of_row(row: LedgerRow, held: HeldStatement | None = None) -> StatementFate:
    """Return the fate that a row tells: not received, if it has the id alone; ``held`` says which freeze it awaits."""
    received_at, disposition = row.get("received_at"), row.get("disposition")
    return {
        "id": row["_id"],
        "disposition": disposition,
        "reason": row.get("reason"),
        "detail": None,
        "received_at": received_at,
        "via": row.get("via"),
        "member_id": row.get("member_id"),
        "entry_id": row.get("entry_id"),
        "voided_by": row.get("voided_by"),
        "waits_for": _WAITS.get(disposition) if received_at else None,
        "period_id": held["period_id"] if held else None,
    }


def fate_of_letter(statement_id: str, letter: FailureFacts) -> StatementFate:
    """Return the fate of a statement that lies among the dead letters."""
    return {
        **fate_of_row(LedgerRow(_id=statement_id)),
        "disposition": Disposition.DEAD_LETTERED.value,
        "reason": letter["reason"],
        "detail": letter["detail"],
        "received_at": datetime.fromisoformat(letter["failed_at"]),
    }


def fate_in_words(fate: StatementFate) -> str:
    """Say in a sentence or two what became of a statement, with the setting to look at."""
    voided = f" The statement {fate['voided_by']} voids it." if fate["voided_by"] else ""
    if fate["received_at"] is None:
        return f"Not received.{voided}"
    day = format_day(fate["received_at"].date(), SOURCE)
    if fate["disposition"] is None:
        return f"Received on {day}, and not taken by the worker yet.{voided}"
    why = REASONS.get(fate["reason"] or "", "for a reason that is not known here")
    return DISPOSITIONS[fate["disposition"]].format(day=day, why=why) + voided


def origin_in_words(provenance: StoredProvenance) -> Text:
    """Tell a member where an entry came from, in the words of its statement's fate."""
    day, more_count = provenance["received_at"].date(), len(provenance["statement_ids"]) - 1
    if provenance.get("voided"):
        return Text(
            "From the Learning centre. Recorded on {day}; the Learning centre took it back after you had edited it.",
            day=day,
        )
    if more_count:
        return counted(
            "From the Learning centre. Recorded on {day}: it became a draft in the log, and {n} more completion of "
            "the same joined it.",
            "From the Learning centre. Recorded on {day}: it became a draft in the log, and {n} more completions of "
            "the same joined it.",
            more_count,
            day=day,
        )
    return Text("From the Learning centre. Recorded on {day}: it became a draft in the log.", day=day)
