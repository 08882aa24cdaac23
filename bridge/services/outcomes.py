"""What the ledger has of a statement, what follows from it, and what is written of it: nothing here reads or writes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from bridge.domain import comparison
from bridge.domain.agents import tombstone
from bridge.domain.arrivals import Arrival
from bridge.domain.completions import Completion
from bridge.domain.dispositions import Disposition, Outcome, Reason
from bridge.store.entries import Claim
from bridge.store.outbox import event
from bridge.store.statements import is_erased, is_same, row

LOGGED = frozenset({Disposition.RECORDED, Disposition.MERGED})
WAITS = frozenset({Disposition.PARKED, Disposition.HELD})


def repeat(one: Arrival, first: Arrival, outcome: Outcome) -> Outcome:
    """Return the outcome of an arrival whose id may have stood earlier in the same batch (decision 6)."""
    if one is first or outcome.disposition is Disposition.DEAD_LETTERED:
        return outcome
    if not comparison.is_same(one.digest, first.digest):
        return _conflict()
    return Outcome(Disposition.DUPLICATE, entry_id=outcome.entry_id, member_id=outcome.member_id)


def known_outcome(one: Arrival, known: dict[str, Any], planned: Outcome) -> Outcome:
    """Return what a statement is that the ledger had already: voided before it came, a repeat, or a conflict."""
    if is_erased(known):
        return Outcome.ignored(Reason.ERASED)
    if "digest" in known and not is_same(known, one.digest):
        return _conflict()
    if "disposition" not in known:  # voided before it came, or stored over HTTP and voided before the worker took it
        return planned if planned.reason is Reason.ERASED else Outcome(Disposition.WITHDRAWN)
    return Outcome(Disposition.DUPLICATE, entry_id=known.get("entry_id"), member_id=known.get("member_id"))


def same_work(meant: Outcome, planned: Outcome) -> bool:
    """Say whether the first delivery meant what this one plans: then doing it again completes it, if it was cut off."""
    if meant.disposition in LOGGED and planned.disposition in LOGGED:
        return meant.member_id == planned.member_id
    return meant.disposition is planned.disposition and meant.disposition is not Disposition.IGNORED


def goes_elsewhere(outcome: Outcome) -> bool:
    """Say whether a voiding may look before there is anything to find: the statement joins another, or waits."""
    return outcome.disposition in WAITS or outcome.disposition is Disposition.MERGED


def outcome_of(known: dict[str, Any]) -> Outcome:
    """Return what became of a statement as the ledger has it."""
    reason = Reason(known["reason"]) if "reason" in known else None
    entry_id, member_id = known.get("entry_id"), known.get("member_id")
    return Outcome(Disposition(known["disposition"]), reason, entry_id=entry_id, member_id=member_id)


def claim_of(one: Arrival, meant: Outcome) -> Claim:
    """Return where the entry of a recorded or merged statement is to be found."""
    merge_keys = one.meaning.merge_keys if isinstance(one.meaning, Completion) else ()
    return Claim(meant.member_id or "", meant.entry_id or "", tuple(merge_keys))


def _conflict() -> Outcome:
    return Outcome.dead(Reason.CONFLICT, "/id: an id of its own was expected; another statement was recorded under it")


def row_of(one: Arrival, outcome: Outcome, secret: bytes) -> dict[str, Any]:
    """Return the ledger's row of a statement; of one that was erased there is no text."""
    if outcome.reason is Reason.ERASED:
        return row(one.statement_id, b"", one.digest, one.received_at, outcome)
    others = one.mentions if outcome.member_id or one.actor_key is None else {*one.mentions, one.actor_key}
    stones = [tombstone(secret, key) for key in others]
    return row(one.statement_id, one.raw, one.digest, one.received_at, outcome, stones)


def events(arrivals: Sequence[Arrival], outcomes: dict[str, Outcome]) -> list[dict[str, Any]]:
    """Return the events that tell of drafts."""
    return [drafted for one in arrivals if (drafted := _drafted(one, outcomes[one.statement_id]))]


def _drafted(one: Arrival, outcome: Outcome) -> dict[str, Any] | None:
    if outcome.disposition is not Disposition.RECORDED or outcome.member_id is None:
        return None
    data = {"entry_id": outcome.entry_id, "statement_id": one.statement_id}
    return event(
        f"log.drafted:{outcome.entry_id}", "log.drafted", outcome.member_id, one.received_at, data, one.traceparent
    )
