"""From statements to drafts: each statement gets one disposition, and changes the log at most once.

The order of the writes makes a batch safe to interrupt anywhere, without a transaction: the ledger claims the
statements, then the entries are written, then the events. Ids are derived, so the redelivery of an interrupted batch
completes it. Where another process may act at the same moment (a voiding, a member update), both sides write first
and read after, so that at least one of them sees the other (docs/decisions/0002).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import orjson

from bridge.domain.arrivals import Arrival, arrival
from bridge.domain.completions import Rules, Voiding
from bridge.domain.dispositions import Disposition, Outcome
from bridge.domain.forms import Form
from bridge.services.outcomes import (
    LOGGED,
    WAITS,
    claim_of,
    events,
    goes_elsewhere,
    known_outcome,
    outcome_of,
    repeat,
    row_of,
    same_work,
)
from bridge.services.placing import Plan, plan_for
from bridge.services.stores import Stores
from bridge.services.subjects import stranger
from bridge.services.voiding import Voidings
from bridge.store.times import now

ROUNDS = 8
"""How often a batch is planned anew when others write the same entries; in each round somebody gets done."""

RELEASED_AT_ONCE = 200
"""Statements that stop waiting are recorded in batches of this size."""

MOST_TOLD = 10_000
"""Statements remembered as told of."""


class Recording:
    """The use case behind the queue; give it decoded, valid statements. Drafts are made by the log's ``form``."""

    def __init__(self, stores: Stores, rules: Rules, form: Form) -> None:
        self._stores = stores
        self._form = form
        self._voidings = Voidings(stores)
        self._cut_off: set[str] = set()  # statements whose recording failed here, and is to be tried again
        self._told: dict[str, None] = {}  # statements whose events were written here, oldest first
        self.rules = rules

    async def record(self, arrivals: Sequence[Arrival]) -> list[Outcome]:
        """Record a batch; returns an outcome per arrival, in order. Raises ``Unavailable`` when the store is away."""
        firsts: dict[str, Arrival] = {}
        for one in arrivals:
            firsts.setdefault(one.statement_id, one)
        try:
            outcomes = await self._record_distinct(list(firsts.values()))
        except BaseException:
            self._cut_off.update(firsts)
            raise
        self._cut_off.difference_update(firsts)
        return [repeat(one, firsts[one.statement_id], outcomes[one.statement_id]) for one in arrivals]

    async def _record_distinct(self, arrivals: list[Arrival]) -> dict[str, Outcome]:
        plan = await plan_for(arrivals, self._stores, self._form)
        claims = [one for one in arrivals if plan.outcomes[one.statement_id].disposition != Disposition.DEAD_LETTERED]
        claimed = dict(plan.outcomes)
        secret = await self._stores.erasures.key.get()
        rows = [row_of(one, claimed[one.statement_id], secret) for one in claims]
        known = await self._stores.statements.claim(rows)
        # What came over HTTP is in the ledger without a disposition, until it is taken here (docs/decisions/0009).
        known -= await self._stores.lrs.statements.take([row for row in rows if row["_id"] in known])
        repeats, meant = await self._seen_before([one for one in claims if one.statement_id in known], plan)
        claimed |= meant
        fresh = [one for one in claims if one.statement_id not in known]
        unfinished = [one for one in claims if one.statement_id in meant]
        done = await self._carry_out([*fresh, *unfinished], plan)
        changed = {key: outcome for key, outcome in done.items() if outcome != claimed[key]}
        await self._stores.statements.settle(changed)
        done |= await self._voided({key: one for key, one in done.items() if key in changed or goes_elsewhere(one)})
        await self._stores.outbox.add_block(events(fresh, done))
        self._remember(fresh)
        await self._stores.outbox.add(events([one for one in unfinished if self._may_be_untold(one, plan)], done))
        await self._notice_changes(plan, claims)
        return {**plan.outcomes, **done, **repeats}

    async def _seen_before(self, arrivals: list[Arrival], plan: Plan) -> tuple[dict[str, Outcome], dict[str, Outcome]]:
        """Settle statements that the ledger had already.

        Returns their outcomes, and what the ledger says of those whose interrupted work is to be finished.
        """
        rows = await self._stores.statements.known([one.statement_id for one in arrivals]) if arrivals else {}
        outcomes: dict[str, Outcome] = {}
        repeats: list[Arrival] = []
        for one in arrivals:
            known, planned = rows[one.statement_id], plan.outcomes[one.statement_id]
            outcomes[one.statement_id] = outcome = known_outcome(one, known, planned)
            if "disposition" not in known and outcome.disposition is not Disposition.DEAD_LETTERED:
                await self._stores.statements.fill(row_of(one, outcome, await self._stores.erasures.key.get()))
                await self._stores.statements.settle({one.statement_id: outcome})  # one stored over HTTP is full
            elif outcome.disposition is Disposition.DUPLICATE:
                repeats.append(one)
        return outcomes, await self._unfinished(repeats, rows, plan)

    async def _unfinished(
        self, repeats: list[Arrival], rows: dict[str, dict[str, Any]], plan: Plan
    ) -> dict[str, Outcome]:
        """Return id → what the ledger says of those repeats whose work may be undone; the plan has what they mean now.

        What means something else by now (its member came, a freeze began or ended) is looked for first.
        """
        meant = {one.statement_id: outcome_of(rows[one.statement_id]) for one in repeats}
        others = [one for one in repeats if not same_work(meant[one.statement_id], plan.outcomes[one.statement_id])]
        undone = await self._undone(others, meant) if others else []
        if undone:
            plan.replace(await plan_for(undone, self._stores, self._form, looking=True), undone)
        done = {one.statement_id for one in others} - {one.statement_id for one in undone}
        return {key: outcome for key, outcome in meant.items() if key not in done}

    async def _undone(self, repeats: list[Arrival], meant: dict[str, Outcome]) -> list[Arrival]:
        """Return those that should be in the log, or wait, and are not there."""
        logged = [one for one in repeats if meant[one.statement_id].disposition in LOGGED]
        waits = [one for one in repeats if meant[one.statement_id].disposition in WAITS]
        found = await self._stores.entries.holding([claim_of(one, meant[one.statement_id]) for one in logged])
        there = {key for entry in found.values() for key in entry["provenance"]["statement_ids"]}
        there |= await self._stores.waiting.among([one.statement_id for one in waits])
        return [one for one in (*logged, *waits) if one.statement_id not in there]

    async def _carry_out(self, arrivals: list[Arrival], plan: Plan) -> dict[str, Outcome]:
        """Write entries, waiting statements and voidings; safe to repeat. Returns the outcomes as they are."""
        await self._write_entries(arrivals, plan)
        ids = [one.statement_id for one in arrivals]
        await self._stores.waiting.park([plan.parked[key] for key in ids if key in plan.parked])
        await self._stores.waiting.hold([plan.held[key] for key in ids if key in plan.held])
        for one in arrivals:
            if isinstance(one.meaning, Voiding):
                await self._voidings.void(one.meaning.target, one.statement_id, one.received_at)
        return {key: plan.outcomes[key] for key in ids}

    async def _voided(self, settled: dict[str, Outcome]) -> dict[str, Outcome]:
        """Void once more what was voided before it was settled as it is now; returns the outcomes of what is withdrawn.

        Both write first and read after. A draft under the statement's own id needs no look: a voiding knows it from
        the claim on.
        """
        marked = await self._stores.statements.voided(settled)
        for target, voiding_id in marked.items():
            await self._voidings.void(target, voiding_id, now())
        await self._stores.waiting.release([key for key in marked if settled[key].disposition in WAITS])
        rows = await self._stores.statements.known(marked) if marked else {}
        outcomes = {key: outcome_of(row) for key, row in rows.items()}
        return {key: outcome for key, outcome in outcomes.items() if outcome.disposition is Disposition.WITHDRAWN}

    def _may_be_untold(self, one: Arrival, plan: Plan) -> bool:
        """Say whether a repeat may be the first one's second try, whose event may be missing.

        Nobody told of a draft that was not there until now; the plan has it still.
        """
        if one.statement_id in plan.drafts:
            return True
        return one.statement_id not in self._told and (one.redelivered or one.statement_id in self._cut_off)

    def _remember(self, told: list[Arrival]) -> None:
        """Note what needs no telling again, the latest ``MOST_TOLD``: a broker may redeliver what was acknowledged."""
        self._told |= dict.fromkeys(one.statement_id for one in told)
        for statement_id in list(self._told)[: max(0, len(self._told) - MOST_TOLD)]:
            del self._told[statement_id]

    async def _write_entries(self, arrivals: list[Arrival], plan: Plan) -> None:
        """Write what the plan says; what is refused is planned again, looking at what stands there."""
        pending = arrivals
        for _ in range(ROUNDS):
            drafted = [one for one in pending if one.statement_id in plan.drafts]
            joining = [one for one in pending if one.statement_id in plan.joins]
            refused = await self._stores.entries.write(
                [plan.drafts[one.statement_id] for one in drafted], [plan.joins[one.statement_id] for one in joining]
            )
            pending = [one for position, one in enumerate(drafted) if position in refused.drafts]
            pending += joining if refused.joins else []
            if not pending:
                return
            plan.replace(await plan_for(pending, self._stores, self._form, looking=True), pending)
        raise RuntimeError("a batch could not be placed: its entries keep changing under it")

    async def _notice_changes(self, plan: Plan, arrivals: Sequence[Arrival]) -> None:
        """Catch up with members that changed, became known or were erased while this batch was written."""
        if await self._stores.members.epoch() == plan.epoch:
            return
        await self._remove_erased(arrivals)
        ids = [one.statement_id for one in arrivals]
        parked = [plan.parked[key]["actor_key"] for key in ids if key in plan.parked]
        changed = {member["_id"] for member in (await self._stores.members.by_keys(parked)).values()}
        placed = {plan.outcomes[key].member_id for key in ids}
        seen = {key: version for key, version in plan.members.items() if key in placed}
        current = await self._stores.members.versions(seen)
        for member_id in changed | {key for key, version in seen.items() if current.get(key) != version}:
            await self.catch_up(member_id)

    async def _remove_erased(self, arrivals: Sequence[Arrival]) -> None:
        """Take whoever was erased out of statements that the erasure came too early for."""
        named = {key for one in arrivals for key in (*one.mentions, one.actor_key) if key}
        members = await self._stores.members.by_keys(named)
        if erased := await self._stores.erasures.among(named - members.keys()):
            await self._stores.removal.statements(await stranger(self._stores, erased))

    async def catch_up(self, member_id: str) -> None:
        """Bring a log in line with a new calendar, new identifiers or the end of a freeze (R82, decisions 4 and 10)."""
        member = await self._stores.members.get(member_id)
        if member is None or "erasing" in member:
            await self._stores.removal.late(member_id)
            return
        await self._stores.entries.rebucket(member)
        frozen = [freeze["period_id"] for freeze in member.get("frozen") or ()]
        waiting = self._stores.waiting
        while ids := await waiting.parked_for(member["keys"], RELEASED_AT_ONCE):
            if not await self._release(ids, Disposition.PARKED):
                break
        while rows := await waiting.held_for(member_id, frozen, RELEASED_AT_ONCE):
            if not await self._let_go(rows):
                break

    async def _let_go(self, held: list[dict[str, Any]]) -> bool:
        """Record and then void what a freeze held; returns whether any of it is held no more."""
        released = await self._release([row["_id"] for row in held if "target" not in row], Disposition.HELD)
        voided = await self._voidings.let_go([row for row in held if "target" in row])
        return released or voided > 0

    async def _release(self, statement_ids: list[str], waited: Disposition) -> bool:
        """Record statements that were parked, or held; returns whether any is so no more."""
        if not statement_ids:
            return False
        rows = await self._stores.statements.known(statement_ids)
        arrivals = [self._stored(row) for row in rows.values() if row.get("raw") and "voided_by" not in row]
        plan = await plan_for(arrivals, self._stores, self._form, looking=True)
        outcomes = await self._carry_out(arrivals, plan)
        await self._stores.statements.settle(outcomes)
        outcomes |= await self._voided(outcomes)
        await self._stores.outbox.add(events(arrivals, outcomes))
        now_in = {key: outcome.disposition for key, outcome in outcomes.items()}
        await self._stores.waiting.unpark([key for key in statement_ids if now_in.get(key) != Disposition.PARKED])
        await self._stores.waiting.let_go([key for key in statement_ids if now_in.get(key) != Disposition.HELD])
        await self._notice_changes(plan, arrivals)
        return any(now_in.get(key) != waited for key in statement_ids)

    def _stored(self, row: dict[str, Any]) -> Arrival:
        return arrival(orjson.loads(row["raw"]), row["raw"], row["received_at"], self.rules)
