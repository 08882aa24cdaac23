"""Where a batch of completions goes: a new draft, an entry it joins, or a place to wait. Reads, never writes."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from bridge.domain.arrivals import Arrival
from bridge.domain.completions import Completion, Voiding
from bridge.domain.dispositions import Disposition, Outcome, Reason
from bridge.domain.entries import automatic_draft, entry_id
from bridge.domain.forms import Form
from bridge.services.stores import Stores
from bridge.store.entries import Claim, joining
from bridge.store.members import calendar_of, frozen_on
from bridge.store.parked import held_row, parked_row

Document = dict[str, Any]


def _documents() -> dict[str, Document]:
    return {}


@dataclass(slots=True)
class Plan:
    """What is to be written for a batch, by statement id; ``members`` holds the versions the plan was made from.

    Drafts are made by ``form``, the current one of the log.
    """

    form: Form
    outcomes: dict[str, Outcome] = field(default_factory=dict[str, Outcome])
    drafts: dict[str, Document] = field(default_factory=_documents)
    joins: dict[str, Any] = field(default_factory=dict[str, Any])
    parked: dict[str, Document] = field(default_factory=_documents)
    held: dict[str, Document] = field(default_factory=_documents)
    members: dict[str, int] = field(default_factory=dict[str, int])
    epoch: int = 0

    def replace(self, other: Plan, arrivals: Sequence[Arrival]) -> None:
        """Take over another plan for some of the arrivals."""
        for written in (self.drafts, self.joins, self.parked, self.held):
            for one in arrivals:
                written.pop(one.statement_id, None)
        self.outcomes |= other.outcomes
        self.drafts |= other.drafts
        self.joins |= other.joins
        self.parked |= other.parked
        self.held |= other.held
        self.members = other.members | self.members


@dataclass(frozen=True, slots=True)
class _Candidate:
    one: Arrival
    completion: Completion
    member: Document
    claim: Claim


async def plan_for(arrivals: Sequence[Arrival], stores: Stores, form: Form, *, looking: bool = False) -> Plan:
    """Plan a batch; only with ``looking`` are the entries read that these statements may join or have made before.

    Nearly every completion makes a new entry, so the first plan supposes so, and the unique index refuses the rest.
    """
    plan = Plan(form, epoch=await stores.members.epoch())
    candidates = await _candidates(arrivals, stores, plan)
    holders = await stores.entries.holding([candidate.claim for candidate in candidates]) if looking else {}
    for candidate in candidates:
        plan.members[candidate.member["_id"]] = candidate.member["version"]
        plan.outcomes[candidate.one.statement_id] = _place(candidate, holders, plan)
    return plan


async def _candidates(arrivals: Iterable[Arrival], stores: Stores, plan: Plan) -> list[_Candidate]:
    """Find the members; what has none, or needs none, is settled in the plan."""
    keys = {one.actor_key for one in arrivals if one.actor_key}
    members = await stores.members.by_keys(keys)
    erased = await stores.erasures.among(keys - members.keys())
    candidates: list[_Candidate] = []
    for one in arrivals:
        if isinstance(one.meaning, Completion) and one.meaning.actor_key in members:
            candidates.append(_candidate(one, one.meaning, members[one.meaning.actor_key]))
        else:
            plan.outcomes[one.statement_id] = _without_member(one, erased, plan)
    return candidates


def _candidate(one: Arrival, completion: Completion, member: Document) -> _Candidate:
    claim = Claim(member["_id"], entry_id(member["_id"], one.statement_id), tuple(completion.merge_keys))
    return _Candidate(one, completion, member, claim)


def _without_member(one: Arrival, erased: set[str], plan: Plan) -> Outcome:
    if one.actor_key in erased:  # whatever else it is: nothing of it is kept
        return Outcome.ignored(Reason.ERASED)
    if isinstance(one.meaning, Voiding):
        return Outcome(Disposition.WITHDRAWN)
    if isinstance(one.meaning, Outcome):
        return one.meaning
    plan.parked[one.statement_id] = parked_row(one.statement_id, one.meaning.actor_key, one.received_at)
    return Outcome(Disposition.PARKED)


def _place(candidate: _Candidate, holders: dict[tuple[str, str], Document], plan: Plan) -> Outcome:
    """Find the entry of a completion, or make its draft; what is to be written goes into the plan."""
    one, claim, member = candidate.one, candidate.claim, candidate.member
    mine = [(claim.member_id, key) for key in (*claim.merge_keys, claim.entry_id)]
    holder = next((holders[key] for key in mine if key in holders), None)
    if holder is not None and one.statement_id in holder["provenance"]["statement_ids"]:
        return _already_there(claim, holder)
    if freeze := frozen_on(member, candidate.completion.day) or (holder and holder.get("frozen")):
        plan.held[one.statement_id] = held_row(one.statement_id, claim.member_id, freeze["period_id"], one.received_at)
        return Outcome(Disposition.HELD, member_id=claim.member_id)
    if holder is not None:
        return _join(one, claim, holder, holders, plan)
    draft = automatic_draft(
        candidate.completion, claim.member_id, calendar_of(member), one.statement_id, one.received_at, plan.form
    )
    plan.drafts[one.statement_id] = draft
    holders.update(dict.fromkeys(mine, draft))  # a later completion of this batch may join it
    return Outcome(Disposition.RECORDED, entry_id=claim.entry_id, member_id=claim.member_id)


def _join(
    one: Arrival, claim: Claim, holder: Document, holders: dict[tuple[str, str], Document], plan: Plan
) -> Outcome:
    free = [key for key in claim.merge_keys if holders.get((claim.member_id, key), holder) is holder]
    plan.joins[one.statement_id] = joining(holder, one.statement_id, free)
    holders.update({(claim.member_id, key): holder for key in free})
    return Outcome(Disposition.MERGED, entry_id=holder["_id"], member_id=claim.member_id)


def _already_there(claim: Claim, holder: Document) -> Outcome:
    made = Disposition.RECORDED if holder["_id"] == claim.entry_id else Disposition.MERGED
    disposition = Disposition.WITHDRAWN if holder.get("withdrawn_at") else made
    return Outcome(disposition, entry_id=holder["_id"], member_id=claim.member_id)
