"""Units of work: what changes one member's record, done whole or not at all, one after another (docs/decisions/0020).

Each is a transaction that first touches the member's document. So two on one record never overlap, none overlaps the
freeze of a submission (invariant 4) or a batch of the worker's, and what it read is still true when it is written.

The answer under an ``Idempotency-Key`` (api.md, HTTP conventions) is kept in the transaction, so that two calls with
one key at the same moment make one thing. A call that fails keeps nothing: it may be sent again with the same key.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Callable, Coroutine, Iterable, Iterator
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta, tzinfo
from itertools import count
from typing import Any, Literal, TypeVar
from weakref import WeakValueDictionary

from bridge import tracing
from bridge.domain.events import D, EventType, event
from bridge.domain.members import (
    NO_MEMBER,
    AuditYear,
    FreezeMark,
    MembershipCalendar,
    StoredMember,
    calendar_of,
    frozen_on,
)
from bridge.domain.operations import IdempotentAnswer
from bridge.domain.record import RESTORABLE_DAYS, StoredEntry, StoredPlanItem, StoredRecord
from bridge.errors import Conflict, FieldError, NotFound, RecordFrozen, ValidationFailed
from bridge.store import MemberRecords, Session, Stores, now
from bridge.texts import Text

R = TypeVar("R")
K = TypeVar("K", bound=StoredRecord)
Check = Callable[[int], None]
"""Raises ``StaleVersion`` when the version it is given is not one that the client would change."""


ENTRY = Text("There is no such log entry in your record.")
ITEM = Text("There is no such plan item in your record.")
"""What is said where there is none."""


@dataclass(frozen=True, slots=True)
class Attempt:
    """One call that may be a repeat: whose it is, where it went, the client's key, and a digest of what it sent."""

    by: str
    route: str
    key: str
    digest: bytes

    @classmethod
    def of(cls, by: str, route: str, key: str | None, body: bytes) -> Attempt | None:
        """Make the attempt of a call; None without a key. ``route`` is the method and path, ``body`` what was sent."""
        return None if key is None else cls(by, route, key, hashlib.sha256(body).digest())

    @property
    def row_id(self) -> str:
        """Return the row's id: hashed, because a client chooses the key."""
        return hashlib.sha256("\n".join((self.by, self.route, self.key)).encode()).hexdigest()

    def row(self, at: datetime, answer: object) -> IdempotentAnswer:
        """Return what is stored of the call and its answer."""
        return {"_id": self.row_id, "at": at, "digest": self.digest, "answer": answer}

    def check(self, row: IdempotentAnswer) -> None:
        """Raise ``Conflict`` when the row that is stored under the key is of another body."""
        if row["digest"] != self.digest:
            raise Conflict(
                Text("This Idempotency-Key was used with another body in the last 24 hours: take a new key.")
            )


@dataclass(frozen=True, slots=True)
class UnitOfWork:
    """One running unit: the member as it is now, and the transaction that everything is written in."""

    stores: Stores
    member: StoredMember
    session: Session
    at: datetime
    zone: tzinfo
    _events: Iterator[int] = field(default_factory=lambda: count(1))

    @property
    def member_id(self) -> str:
        """Whose record it is; every query starts with it."""
        return self.member["_id"]

    @property
    def today(self) -> date:
        """The local day on which it is done (decision 9)."""
        return self.at.astimezone(self.zone).date()

    @property
    def calendar(self) -> MembershipCalendar:
        """The member's membership years."""
        return calendar_of(self.member)

    @property
    def log(self) -> MemberRecords[StoredEntry]:
        """The member's log entries, in this transaction."""
        return self.stores.log.of(self.member_id, self.session)

    @property
    def plan(self) -> MemberRecords[StoredPlanItem]:
        """The member's plan items, in this transaction."""
        return self.stores.plan.of(self.member_id, self.session)

    async def numbers(self, kind: Literal["log", "plan"], count: int) -> range:
        """Take the next reference numbers of the member's log or plan (R48); a number is never given twice."""
        if not count:
            return range(0)
        last = await self.stores.members.number(self.member_id, kind, count, self.session)
        return range(last - count + 1, last + 1)

    def freeze_on(self, day: date) -> FreezeMark | None:
        """Return the freeze of the period that a day lies in, when it was submitted for the Register Audit (R56)."""
        return frozen_on(self.member, day)

    def raise_if_days_frozen(self, *days: str | None) -> None:
        """Raise ``RecordFrozen`` when a record would leave or enter a frozen period (R56)."""
        for day in days:
            if day:
                raise_if_frozen(self.freeze_on(date.fromisoformat(day)))

    async def save_entries(self, pairs: Iterable[tuple[StoredEntry, StoredEntry]]) -> None:
        """Write log entries; each pair is an entry before and after, and the version goes up."""
        await self.log.save(
            [(before, {**after, "version": before["version"] + 1, "updated_at": self.at}) for before, after in pairs]
        )

    async def save_items(self, pairs: Iterable[tuple[StoredPlanItem, StoredPlanItem]]) -> None:
        """Write plan items; each pair is an item before and after, and the version goes up."""
        await self.plan.save(
            [(before, {**after, "version": before["version"] + 1, "updated_at": self.at}) for before, after in pairs]
        )

    async def set_audit_years(self, years: list[AuditYear]) -> None:
        """Write which years of audit cases stand, whatever calendar is brought; where that moves others, file anew."""
        member: StoredMember = {**self.member, "in_audit": years}
        await self.stores.members.change(self.member, member, self.session)
        if calendar_of(member) != self.calendar:
            await self.plan.raise_versions()
            await self.stores.follow_ups.add(self.member_id, self.at, self.session, refile=True)

    async def announce(self, kind: EventType[D], key: str, data: D) -> None:
        """Write the event of the change; ``key`` makes the event's id, ``data`` holds ids, states and dates."""
        place = (self.member["acts"], next(self._events))
        row = event(kind, key, self.member_id, place, self.at, data, tracing.current())
        await self.stores.outbox.add([row], self.session)


async def get_or_404(records: MemberRecords[K], record_id: str, absent: Text) -> K:
    """Return a live record; raises ``NotFound``."""
    record = await records.get(record_id)
    if record is None:
        raise NotFound(absent)
    return record


async def get_for_update(records: MemberRecords[K], record_id: str, absent: Text, check: Check) -> K:
    """Return a live record that may be changed; raises ``NotFound``, ``RecordFrozen`` or ``StaleVersion``."""
    record = await get_or_404(records, record_id, absent)
    raise_if_frozen(record.get("frozen"))
    check(record["version"])
    return record


async def get_for_restore(records: MemberRecords[K], record_id: str, absent: Text, at: datetime) -> K:
    """Return a record for restoring, deleted or live (then there is nothing to do).

    Raises ``NotFound`` for one that never was, or was withdrawn; ``Conflict`` when it was deleted too long ago.
    """
    record = await records.get_any(record_id)
    if record is None or record.get("withdrawn_at"):
        raise NotFound(absent)
    deleted_at = record.get("deleted_at")
    if deleted_at and at - deleted_at > timedelta(days=RESTORABLE_DAYS):
        raise Conflict(
            Text("This was deleted more than {days} days ago and cannot be brought back.", days=RESTORABLE_DAYS)
        )
    return record


def raise_for_errors(field_errors: Iterable[FieldError]) -> None:
    """Raise ``ValidationFailed`` when there is any error."""
    errors = list(field_errors)
    if errors:
        raise ValidationFailed(Text("See errors for each field."), field_errors=errors)


def raise_if_frozen(freeze: FreezeMark | None) -> None:
    """Raise ``RecordFrozen``, naming the case and since when, for a freeze; do nothing for None."""
    if freeze:
        raise RecordFrozen(
            Text(
                "This was submitted for the Register Audit (case {case}) and is frozen since {since}; it opens again "
                "when the case is returned or closed.",
                case=freeze["case_id"],
                since=freeze["since"],
            )
        )


class UnitsOfWork:
    """Runs units of work.

    Those on one record wait in line here, since transactions that meet only undo each other, and with twenty at once
    one of them may not get through in time. Between processes the store decides.
    """

    def __init__(self, stores: Stores, zone: tzinfo) -> None:
        self._stores = stores
        self._zone = zone
        self._lines: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()

    async def run(
        self, member_id: str, work: Callable[[UnitOfWork], Coroutine[Any, Any, R]], attempt: Attempt | None = None
    ) -> R:
        """Run ``work`` in a transaction of its own, tried again when another unit came between.

        With an ``attempt`` that was made before, return what ``work`` returned then: something that the store can keep
        (text, numbers, times in UTC, lists, documents). Raises ``NotFound`` for a member who is not known, and
        ``Conflict`` when the attempt's key came with another body; what ``work`` raises undoes everything it wrote.
        """

        async def run(session: Session) -> R:
            member = await self._stores.members.touch(member_id, session)
            if member is None or "erasing" in member:
                raise NotFound(NO_MEMBER)
            unit = UnitOfWork(self._stores, member, session, now(), self._zone)
            return await (work(unit) if attempt is None else _run_once(unit, attempt, work))

        async with self._lines.setdefault(member_id, asyncio.Lock()):
            return await self._stores.database.transaction(run)

    async def claim_key(self, attempt: Attempt | None) -> None:
        """Take a key for what is about nobody alone, and is the same however often it is done; raises ``Conflict``."""
        if attempt is not None:
            attempt.check(await self._stores.answers.put_if_new(attempt.row(now(), None)))


async def _run_once(unit: UnitOfWork, attempt: Attempt, work: Callable[[UnitOfWork], Coroutine[Any, Any, R]]) -> R:
    answers = unit.stores.answers
    row = await answers.get(attempt.row_id, unit.at, unit.session)
    if row is not None:
        attempt.check(row)
        return row["answer"]
    answer = await work(unit)
    await answers.put({**attempt.row(unit.at, answer), "member_id": unit.member_id}, unit.session)
    return answer
