"""A batch of statements decided: from the statements, and what was read, to what is to be written; without any I/O.

The statements are taken in their order, so that a batch means the same as its statements one by one (invariant 2).
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Generic, TypedDict, TypeVar

from bridge.domain.events import LOG_DRAFTED, LOG_WITHDRAWN, D, DraftData, EntryData, EventType, OutboxEvent, event
from bridge.domain.forms import Form
from bridge.domain.members.members import FreezeMark, StoredMember, calendar_of, frozen_on
from bridge.domain.record import entries
from bridge.domain.record.entries import StoredEntry, statements_of
from bridge.domain.statements import ledger
from bridge.domain.statements.completions import Completion, Voiding, automatic_draft
from bridge.domain.statements.dispositions import Disposition, Outcome, Reason
from bridge.domain.statements.ledger import Arrival, HeldStatement, LedgerRow, ParkedStatement


class Identified(TypedDict):
    """The field that every document has."""

    _id: str


T = TypeVar("T", bound=Identified)


class Changes(Generic[T]):
    """Documents of one collection by id, as read and as they are to be; what was read is never changed in place."""

    def __init__(self, read: Iterable[T] = ()) -> None:
        self._read = {document["_id"]: document for document in read}
        self._now = dict(self._read)
        self.removed: set[str] = set()

    def get(self, document_id: str) -> T | None:
        """Return a document as it is to be; None when it is neither read nor made."""
        return self._now.get(document_id)

    def put(self, document: T) -> None:
        """Make a document, or change it."""
        self._now[document["_id"]] = document
        self.removed.discard(document["_id"])

    def remove(self, document_id: str) -> None:
        """Remove a document, read or not."""
        self._now.pop(document_id, None)
        self.removed.add(document_id)

    @property
    def new(self) -> list[T]:
        """The documents that were not there."""
        return [document for key, document in self._now.items() if key not in self._read]

    @property
    def changed(self) -> list[tuple[T, T]]:
        """The documents that differ, each as read and as it is to be."""
        pairs = [(self._read[key], document) for key, document in self._now.items() if key in self._read]
        return [(before, after) for before, after in pairs if before != after]


@dataclass(frozen=True, slots=True)
class BatchReads:
    """The documents read for a batch, in the transaction that writes it."""

    secret: bytes  # the key of tombstones
    members: Mapping[str, StoredMember]
    owners: Mapping[str, str]  # identifier key → member id
    erased: Collection[str] = ()  # those of the other keys that an erased person had
    rows: Sequence[LedgerRow] = ()  # of the batch, and of what it voids
    entries: Sequence[StoredEntry] = ()  # those that it may change
    held: Sequence[HeldStatement] = ()  # the rows of what stops waiting with it
    parked: Sequence[ParkedStatement] = ()  # likewise


@dataclass(slots=True)
class Touch:
    """The numbers of drafts and events that a batch gives a member."""

    drafts: int = 0
    events: int = 0


class Batch:
    """The decision: ``record``, ``release`` and ``void`` give outcomes, and the rest of it is what is to be written.

    Drafts are made by ``form``, the current one of the log. ``touched`` are the members whose record changes;
    ``sought`` the identifiers that nobody has, each of which whoever brings it is to meet.
    """

    def __init__(self, reads: BatchReads, form: Form) -> None:
        self._members, self._owners, self._erased_keys = reads.members, reads.owners, reads.erased
        self._secret = reads.secret
        self._form = form
        self.ledger = Changes(reads.rows)
        self.entries = Changes(reads.entries)
        self.held = Changes(reads.held)
        self.parked = Changes(reads.parked)
        self.events: list[OutboxEvent] = []
        self.touched: dict[str, Touch] = {}
        self.sought: set[str] = set()
        self._holders = {
            (entry["member_id"], key): entry["_id"]
            for entry in reads.entries
            for key in (*statements_of(entry), *entry.get("merge_keys", ()))
        }

    def record(self, arrival: Arrival) -> Outcome:
        """Decide on a statement that came; one that is refused leaves nothing."""
        row = self.ledger.get(arrival.statement_id)
        if row is not None and ledger.is_erased(row):
            return Outcome.ignored(Reason.ERASED)
        if row is not None and "digest" in row and not ledger.is_same(row, arrival.digest):
            return ledger.conflict()
        if row is not None and "disposition" in row:
            return ledger.duplicate(row)
        outcome = self._outcome(arrival, is_voided=row is not None and "voided_by" in row)
        if outcome.disposition is not Disposition.DEAD_LETTERED:
            received: LedgerRow = row or LedgerRow(_id=arrival.statement_id)
            if "digest" not in received:
                received = ledger.with_statement(received, arrival, outcome.member_id, self._secret)
            self.ledger.put(ledger.settled(received, outcome))
        return outcome

    def release(self, arrival: Arrival) -> Outcome:
        """Decide anew on a statement that waits; it may go on waiting, for something else perhaps."""
        self.forget(arrival.statement_id)
        row = self.ledger.get(arrival.statement_id) or LedgerRow(_id=arrival.statement_id)
        outcome = self._outcome(arrival, is_voided="voided_by" in row)
        self.ledger.put(ledger.settled(row, outcome))
        return outcome

    def reconsider(self, arrival: Arrival) -> Outcome:
        """Decide anew on a statement that was ignored; one that is so no more stays as it is."""
        row = self.ledger.get(arrival.statement_id)
        if row is None or row.get("disposition") != Disposition.IGNORED or ledger.is_erased(row):
            return Outcome(Disposition.DUPLICATE)
        outcome = self._outcome(arrival, is_voided="voided_by" in row)
        if outcome.disposition is not Disposition.DEAD_LETTERED:
            self.ledger.put(ledger.settled(row, outcome))
        return outcome

    def forget(self, statement_id: str) -> None:
        """Let a statement wait no more."""
        self.held.remove(statement_id)
        self.parked.remove(statement_id)

    def void(self, target: str, voiding_id: str, at: datetime) -> None:
        """Take back what a voided statement made (decision 8); remembered for one still to come."""
        row = self.ledger.get(target) or LedgerRow(_id=target)
        self.ledger.put({**row, "voided_by": voiding_id})
        if "entry_id" in row:
            self._void_entry(row, voiding_id, at)
        elif row.get("disposition") in ledger.WAITING:
            self.forget(target)
            self._withdraw_row(target)
            self._touch(row.get("member_id"))

    def _outcome(self, arrival: Arrival, *, is_voided: bool) -> Outcome:
        if isinstance(arrival.meaning, Voiding):  # a voiding is not voided (xAPI-Data 2.3.2)
            self.void(arrival.meaning.target, arrival.statement_id, arrival.at)
        if arrival.actor_key in self._erased_keys:  # whatever it is: nothing of it is kept
            return Outcome.ignored(Reason.ERASED)
        if isinstance(arrival.meaning, Voiding):
            return Outcome(Disposition.WITHDRAWN)
        if isinstance(arrival.meaning, Outcome) and arrival.meaning.disposition is Disposition.DEAD_LETTERED:
            return arrival.meaning
        if is_voided:
            return Outcome(Disposition.WITHDRAWN)
        if isinstance(arrival.meaning, Outcome):
            return arrival.meaning
        return self._place(arrival, arrival.meaning)

    def _place(self, arrival: Arrival, completion: Completion) -> Outcome:
        """Give a completion its draft, an entry to join, or a place to wait."""
        member = self._members.get(self._owners.get(completion.actor_key, ""))
        if member is None:
            self.parked.put({"_id": arrival.statement_id, "actor_key": completion.actor_key, "at": arrival.at})
            self.sought.add(completion.actor_key)
            return Outcome(Disposition.PARKED)
        member_id = member["_id"]
        self._touch(member_id)
        holder = self._holder(member_id, arrival, completion)
        freeze = frozen_on(member, completion.day) or (holder.get("frozen") if holder else None)
        if holder is not None and arrival.statement_id in statements_of(holder):
            return _already_in(holder, arrival)
        if freeze:
            self._hold(arrival.statement_id, member_id, freeze, arrival.at)
            return Outcome(Disposition.HELD, member_id=member_id)
        if holder is not None:
            return self._join(arrival, completion, holder)
        return self._draft(arrival, completion, member)

    def _holder(self, member_id: str, arrival: Arrival, completion: Completion) -> StoredEntry | None:
        """Return the entry that a completion is in, or joins: of one registration, or activity and day (decision 7)."""
        keys = (*completion.merge_keys, arrival.statement_id)
        held = [self._holders[member_id, key] for key in keys if (member_id, key) in self._holders]
        return self.entries.get(held[0]) if held else None

    def _draft(self, arrival: Arrival, completion: Completion, member: StoredMember) -> Outcome:
        member_id = member["_id"]
        touch = self._touch(member_id)
        touch.drafts += 1
        number = member.get("numbers", {}).get("log", 0) + touch.drafts
        facts = completion.in_language(member.get("language"))
        calendar = calendar_of(member)
        fresh_draft = automatic_draft(
            facts, member_id, calendar, arrival.statement_id, arrival.received_at, self._form, number
        )
        draft: StoredEntry = {**fresh_draft, "created_at": arrival.at, "updated_at": arrival.at}
        self.entries.put(draft)
        self._holders |= {(member_id, key): draft["_id"] for key in completion.merge_keys}
        data: DraftData = {"entry_id": draft["_id"], "statement_id": arrival.statement_id}
        self._announce(LOG_DRAFTED, member_id, arrival.at, data, arrival.traceparent)
        return Outcome(Disposition.RECORDED, entry_id=draft["_id"], member_id=member_id)

    def _join(self, arrival: Arrival, completion: Completion, holder: StoredEntry) -> Outcome:
        member_id = holder["member_id"]
        free = [key for key in completion.merge_keys if (member_id, key) not in self._holders]
        self._holders |= {(member_id, key): holder["_id"] for key in free}
        self.entries.put(entries.joined(holder, arrival.statement_id, free))
        return Outcome(Disposition.MERGED, entry_id=holder["_id"], member_id=member_id)

    def _hold(
        self, statement_id: str, member_id: str, freeze: FreezeMark, at: datetime, target: str | None = None
    ) -> None:
        """Let a completion wait for a freeze to end, or a voiding of ``target``."""
        held: HeldStatement = {
            "_id": statement_id, "member_id": member_id, "period_id": freeze["period_id"], "at": at
        }  # fmt: skip
        self.held.put(held if target is None else {**held, "target": target})

    def _void_entry(self, row: LedgerRow, voiding_id: str, at: datetime) -> None:
        """Withdraw or flag an entry; a frozen one when its freeze ends (decision 4), one being erased not at all."""
        member, entry = self._members.get(row.get("member_id", "")), self.entries.get(row.get("entry_id", ""))
        if member is None or "erasing" in member or entry is None or entry.get("withdrawn_at"):
            return
        self._touch(entry["member_id"])
        if freeze := entry.get("frozen"):
            self._hold(voiding_id, entry["member_id"], freeze, at, row["_id"])
        elif entries.is_untouched(entry, row["_id"]):
            self.entries.put(entries.withdrawn(entry, at))
            for key in entry.get("merge_keys", ()):
                self._holders.pop((entry["member_id"], key), None)
            self._withdraw_row(row["_id"])
            data: EntryData = {"entry_id": entry["_id"]}
            self._announce(LOG_WITHDRAWN, entry["member_id"], at, data)
        else:
            self.entries.put(entries.flagged(entry, row["_id"]))

    def _withdraw_row(self, statement_id: str) -> None:
        row = self.ledger.get(statement_id) or LedgerRow(_id=statement_id)
        outcome = Outcome(Disposition.WITHDRAWN, entry_id=row.get("entry_id"), member_id=row.get("member_id"))
        self.ledger.put(ledger.settled(row, outcome))

    def _touch(self, member_id: str | None) -> Touch:
        if member_id is None:
            return Touch()
        return self.touched.setdefault(member_id, Touch())

    def _announce(
        self, kind: EventType[D], member_id: str, at: datetime, data: D, traceparent: str | None = None
    ) -> None:
        touch = self._touch(member_id)
        touch.events += 1
        place = (self._members[member_id]["acts"] + 1, touch.events)
        self.events.append(event(kind, str(data["entry_id"]), member_id, place, at, data, traceparent))


def _already_in(entry: StoredEntry, arrival: Arrival) -> Outcome:
    is_own = entry["_id"] == entries.entry_id(entry["member_id"], arrival.statement_id)
    disposition = Disposition.RECORDED if is_own else Disposition.MERGED
    return Outcome(
        Disposition.WITHDRAWN if entry.get("withdrawn_at") else disposition,
        entry_id=entry["_id"],
        member_id=entry["member_id"],
    )
