"""From statements to drafts: each statement gets one disposition, and changes the log at most once.

A batch is one transaction: read, decide (``domain.statements.batch``), write, commit. It touches the members whose
record it changes before it writes anything else, so that whoever else changes one of them meets it, and one of the two
is run again. A redelivery finds the ledger's row and changes nothing (docs/decisions/0020).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

import orjson

from bridge.domain.forms import Form
from bridge.domain.members import StoredMember, frozen_period_ids
from bridge.domain.record import StoredEntry, entry_id
from bridge.domain.statements import (
    Arrival,
    Batch,
    BatchReads,
    Completion,
    HeldStatement,
    LedgerRow,
    Outcome,
    ParkedStatement,
    Rules,
    Voiding,
    ledger,
    received_at,
)
from bridge.store import AlreadyThere, Session, Stores

Decision = Callable[[Batch, Arrival], Outcome]
"""What decides on a statement of a batch."""


class Recording:
    """The use case behind the queue; give it decoded, valid statements. Drafts are made by the log's ``form``."""

    def __init__(self, stores: Stores, rules: Rules, form: Form) -> None:
        self._stores = stores
        self._form = form
        self.rules = rules

    async def record(self, arrivals: Sequence[Arrival], *, tries: int | None = None) -> list[Outcome]:
        """Record a batch, all of it or nothing; returns an outcome per statement, in order.

        Nearly every completion makes an entry of its own, so a batch is first decided as if all did; when the store
        refuses one, again with a look at the entries that they may join. Raises ``Unavailable`` when the store is away,
        and ``Busy`` when others kept changing the same members for ``tries`` tries (None: as long as a call may take).
        """
        return await self._decide(arrivals, Batch.record, tries)

    async def reconsider(self, arrivals: Sequence[Arrival]) -> list[Outcome]:
        """Record statements that were ignored and count today, as a batch; one that is recorded by now is a duplicate.

        Raises ``Unavailable`` when the store is away.
        """
        return await self._decide(arrivals, Batch.reconsider, None)

    async def _decide(self, arrivals: Sequence[Arrival], decide: Decision, tries: int | None) -> list[Outcome]:
        try:
            outcomes = await self._write_batch(arrivals, decide, tries, is_looking=False)
        except AlreadyThere:
            outcomes = await self._write_batch(arrivals, decide, tries, is_looking=True)
        await self._redact_erased(arrivals, outcomes)
        return outcomes

    async def _write_batch(
        self, arrivals: Sequence[Arrival], decide: Decision, tries: int | None, *, is_looking: bool
    ) -> list[Outcome]:
        async def work(session: Session) -> list[Outcome]:
            facts = await self._read_facts(arrivals, session, is_looking=is_looking)
            batch = Batch(facts, self._form)
            outcomes = [decide(batch, arrival) for arrival in arrivals]
            await self._write(batch, session)
            return outcomes

        return await self._stores.database.transaction(work, tries)

    async def release(self, member: StoredMember, limit: int, session: Session) -> bool:
        """Record up to ``limit`` statements that need no longer wait for a touched member; returns whether any did."""
        parked_rows = await self._stores.waiting.parked_for(member["keys"], limit, session)
        frozen = frozen_period_ids(member)
        held_rows = [] if parked_rows else await self._stores.waiting.held_for(member["_id"], frozen, limit, session)
        if not parked_rows and not held_rows:
            return False
        await self._release(member, parked_rows, held_rows, session)
        return True

    async def _release(
        self,
        member: StoredMember,
        parked_rows: Sequence[ParkedStatement],
        held_rows: Sequence[HeldStatement],
        session: Session,
    ) -> None:
        ids = [row.get("target", row["_id"]) for row in (*parked_rows, *held_rows)]
        rows = {row["_id"]: row for row in await self._stores.statements.rows(ids, session, raw=True)}
        waiting_ids = [row["_id"] for row in (*parked_rows, *held_rows) if "target" not in row]
        arrivals = [self._stored_arrival(rows[key]) for key in waiting_ids if key in rows and rows[key].get("raw")]
        owners = {str(key): str(member["_id"]) for key in member["keys"]}
        joinable = await self._joinable_entries(arrivals, owners, session)
        own_entries = await self._stores.entries.some(
            [row["entry_id"] for row in rows.values() if "entry_id" in row], session
        )
        secret, members = await self._stores.erasure_key.get(), {member["_id"]: member}
        entries = _distinct([*joinable, *own_entries])
        facts = BatchReads(secret, members, owners, set(), list(rows.values()), entries, held_rows, parked_rows)
        batch = Batch(facts, self._form)
        for row in (*parked_rows, *held_rows):
            batch.forget(row["_id"])
        for arrival in arrivals:
            batch.release(arrival)
        for row in held_rows:
            if "target" in row:
                batch.void(row["target"], row["_id"], row["at"])
        await self._write(batch, session)

    def _stored_arrival(self, row: LedgerRow) -> Arrival:
        raw = row.get("raw", b"")
        return ledger.arrival(orjson.loads(raw), raw, received_at(row), self.rules)

    async def _read_facts(self, arrivals: Sequence[Arrival], session: Session, *, is_looking: bool) -> BatchReads:
        stores = self._stores
        actors = {arrival.actor_key for arrival in arrivals if arrival.actor_key}
        targets = {arrival.meaning.target for arrival in arrivals if isinstance(arrival.meaning, Voiding)}
        owners = await stores.identifiers.owners(actors, session)
        unknown_actors = actors - owners.keys()
        erased_keys = await stores.erasures.among(unknown_actors, session) if unknown_actors else set[str]()
        rows = await stores.statements.rows({arrival.statement_id for arrival in arrivals} | targets, session)
        voided = [row for row in rows if row["_id"] in targets]
        of_voided = {row["member_id"] for row in voided if "member_id" in row}
        members = await stores.members.some({*owners.values(), *of_voided}, session)
        entry_ids = [row["entry_id"] for row in voided if "entry_id" in row]
        entries = await stores.entries.some(entry_ids, session) if entry_ids else []
        if is_looking:
            entries = _distinct([*entries, *await self._joinable_entries(arrivals, owners, session)])
        return BatchReads(await stores.erasure_key.get(), members, owners, erased_keys, rows, entries)

    async def _joinable_entries(
        self, arrivals: Iterable[Arrival], owners: dict[str, str], session: Session
    ) -> list[StoredEntry]:
        """Return the entries that completions may join, or have made before."""
        merge_keys: dict[str, list[str]] = {}
        entry_ids: list[str] = []
        for arrival in arrivals:
            if isinstance(arrival.meaning, Completion) and (owner := owners.get(arrival.meaning.actor_key)):
                merge_keys.setdefault(owner, []).extend(arrival.meaning.merge_keys)
                entry_ids.append(entry_id(owner, arrival.statement_id))
        own_entries = await self._stores.entries.some(entry_ids, session) if entry_ids else []
        return [*await self._stores.entries.find_claimed(merge_keys, session), *own_entries]

    async def _write(self, batch: Batch, session: Session) -> None:
        """Write what was decided: first the members and identifiers, on which others may meet this transaction."""
        await self._stores.members.touch_all(batch.touched, session)
        await self._stores.identifiers.seek(sorted(batch.sought), session)
        await self._stores.entries.write(batch.entries, session)
        await self._stores.statements.write(batch.ledger, session)
        await self._stores.waiting.write(batch.parked, batch.held, session)
        await self._stores.outbox.add(batch.events, session)

    async def _redact_erased(self, arrivals: Sequence[Arrival], outcomes: Sequence[Outcome]) -> None:
        """Take people who were erased out of statements that name them (invariant 8).

        Whoever is named beside the actor is touched by no transaction, as an instructor may be in every statement, and
        neither is the actor of a statement that no member's record takes. So an erasure of theirs is looked for once
        the statements are written, and again when they are redelivered.
        """
        pairs = zip(arrivals, outcomes, strict=True)
        keys = {key for arrival in arrivals for key in arrival.mentions}
        keys |= {arrival.actor_key for arrival, outcome in pairs if arrival.actor_key and outcome.member_id is None}
        if keys and (erased_keys := await self._stores.erasures.among(keys)):
            await self._stores.removal.statements(await self._stores.subjects.of_identifiers(erased_keys))


def _distinct(entries: Iterable[StoredEntry]) -> list[StoredEntry]:
    return list({entry["_id"]: entry for entry in entries}.values())
