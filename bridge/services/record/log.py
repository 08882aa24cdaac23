"""The member's log of completed CPD (R16-R46, R76-R78)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import Any, Literal

from bridge.domain.record import entries
from bridge.domain.record.forms import Forms
from bridge.domain.record.search import query_terms
from bridge.services.idempotency import Attempt, once
from bridge.services.record.changes import (
    Check,
    found,
    found_to_change,
    found_to_restore,
    refuse_faults,
    refuse_frozen_days,
    refuse_misfits,
)
from bridge.services.record.links import let_go, take_back
from bridge.services.record.periods import Periods
from bridge.services.record.saving import save_entries
from bridge.services.stores import Stores
from bridge.services.unit_of_work import Act, Acts
from bridge.store.listing import Listing, Sort, Wanted

Document = dict[str, Any]
Source = Literal["manual", "import"]

KIND = "log entry"
"""What a person calls it."""

ROW = ("title", "type", "date", "draft", "complete", "source", "reference", "frozen", "version", "plan_ids")
"""What is read of an entry for a list: texts may be long, and are not shown there (R23)."""


@dataclass(frozen=True, slots=True)
class LogFilter:
    """What a list of the log is narrowed to; every part that is given must hold.

    ``period`` is an id, ``current`` or ``all``; ``q`` keywords; ``date_from`` and ``date_to`` are both included.
    """

    period: str = "current"
    q: str = ""
    date_from: date | None = None
    date_to: date | None = None
    type: str | None = None
    source: str | None = None
    draft: bool | None = None
    complete: bool | None = None
    needs_attention: bool | None = None
    linked: bool | None = None

    def rest(self) -> Document:
        """Return the query of everything but the period and the keywords."""
        equal = {"type": self.type, "source": self.source, "draft": self.draft, "complete": self.complete}
        query: Document = {name: value for name, value in equal.items() if value is not None}
        bounds = {"$gte": self.date_from, "$lte": self.date_to}
        if days := {op: day.isoformat() for op, day in bounds.items() if day is not None}:
            query["date"] = {"$gt": "", **days}
        clauses: list[Document] = [query] if query else []
        if self.needs_attention is not None:
            clauses.append({"complete": not self.needs_attention})
        if self.linked is not None:
            clauses.append({"linked": self.linked})
        return {"$and": clauses} if clauses else {}


class Log:
    """Reads and changes a member's log entries."""

    def __init__(self, stores: Stores, acts: Acts, forms: Forms, periods: Periods) -> None:
        self._stores = stores
        self._acts = acts
        self._forms = forms
        self._periods = periods

    async def list(self, member_id: str, wanted: LogFilter, sort: Sort, limit: int, after: list[Any] | None) -> Listing:
        """Return a page of the member's entries; raises ``NotFound`` for an unknown period.

        The current period's list has undated entries too, so that they are not lost from sight (R76).
        """
        member = await self._periods.member(member_id)
        chosen = self._periods.chosen(member, wanted.period)
        terms = query_terms(wanted.q)
        if wanted.q and not terms:
            return Listing([], None, 0)
        seek: Document = {} if chosen is None else {"period_id": {"$in": chosen}}
        asked = Wanted(seek, wanted.rest(), sort, limit, after, sorts=chosen is not None, fields=ROW)
        return await self._stores.log.of(member_id).page(asked, terms)

    async def get(self, member_id: str, entry_id: str) -> Document:
        """Return one entry of the member with its ``evidence``; raises ``NotFound``."""
        await self._periods.member(member_id)
        return await self._whole(await found(self._stores.log.of(member_id), entry_id, KIND))

    async def _whole(self, entry: Document) -> Document:
        files = await self._stores.evidence.of_entries(entry["member_id"], [entry["_id"]])
        return {**entry, "evidence": files.get(entry["_id"], [])}

    async def create(self, member_id: str, values: Document, draft: bool, attempt: Attempt | None) -> Document:
        """Add an entry by hand (R32, R33); raises ``ValidationFailed`` or ``RecordFrozen``."""

        async def work(act: Act) -> Document:
            return await once(act, attempt, lambda: self._create(act, values, draft))

        return await self._acts.run(member_id, work)

    async def _create(self, act: Act, values: Document, draft: bool) -> Document:
        (entry,) = await self.create_in(act, [(values, draft)], "manual")
        return entry

    async def create_in(self, act: Act, given: list[tuple[Document, bool]], source: Source) -> list[Document]:
        """Add entries within an act, all or none: fields of the current form, and whether each is a draft.

        Raises ``ValidationFailed`` for the first one that is wrong, or ``RecordFrozen``.
        """
        form = self._forms.current("log")
        numbers = iter(await act.numbers("log", len([1 for values, _ in given if not values.get("reference")])))
        made: list[Document] = []
        for values, draft in given:
            refuse_faults(entries.faults(form, values, values, self._periods.today()))
            refuse_frozen_days(act, values.get("date"))
            numbered = values if values.get("reference") else {**values, "reference": f"L{next(numbers)}"}
            entry = entries.new_entry(
                act.member_id, numbered, draft=draft, source=source, form=form, calendar=act.calendar, at=act.at
            )
            made.append(entry)
        await act.log.add(made)
        for entry in made:
            await _announce_completed(act, {}, entry)
        return made

    async def edit(
        self, member_id: str, entry_id: str, changes: Document, draft: bool | None, check: Check
    ) -> Document:
        """Change fields of an entry (R30, R35-R38); None in ``changes`` clears a field.

        Raises ``NotFound``, ``RecordFrozen``, what ``check`` raises, or ``ValidationFailed``.
        """

        async def work(act: Act) -> Document:
            before = await found_to_change(act.log, entry_id, KIND, check)
            form = self._forms.form("log", before["form_version"])
            refuse_misfits(form, changes)
            after = entries.changed(before, changes, draft, form, act.calendar, act.at)
            refuse_faults(entries.faults(form, after, changes, self._periods.today()))
            if after.get("date") != before.get("date"):
                refuse_frozen_days(act, before.get("date"), after.get("date"))
            return await self._save(act, before, after)

        return await self._whole(await self._acts.run(member_id, work))

    async def _save(self, act: Act, before: Document, after: Document) -> Document:
        await save_entries(act, [(before, after)])
        saved = await found(act.log, before["_id"], KIND)
        await _announce_completed(act, before, saved)
        return saved

    async def delete(self, member_id: str, entry_id: str, check: Check) -> None:
        """Delete an entry, softly (decision 5); its links go out of sight with it."""

        async def work(act: Act) -> None:
            before = await found_to_change(act.log, entry_id, KIND, check)
            await let_go(act, act.plan, before["plan_ids"], "log_ids", entry_id)
            gone = {name: value for name, value in before.items() if name != "listed"}
            await save_entries(act, [(before, {**gone, "deleted_at": act.at, "touched_at": act.at})])

        await self._acts.run(member_id, work)

    async def restore(self, member_id: str, entry_id: str) -> Document:
        """Bring a deleted entry back with its links; a live one stays as it is (decision 5).

        Raises ``NotFound``, ``Conflict`` after ``RESTORABLE_DAYS``, or ``RecordFrozen``.
        """

        async def work(act: Act) -> Document:
            before = await found_to_restore(act.log, entry_id, KIND, act.at)
            if not before.get("deleted_at"):
                return before
            refuse_frozen_days(act, before.get("date"))
            plan_ids = await take_back(act, act.plan, before.get("plan_ids", []), "log_ids", entry_id)
            after = {name: value for name, value in before.items() if name != "deleted_at"}
            form = self._forms.form("log", before["form_version"])
            restored = entries.listed({**after, "plan_ids": plan_ids, "touched_at": act.at}, form, act.calendar)
            return await self._save(act, before, restored)

        return await self._whole(await self._acts.run(member_id, work))

    async def copy(self, member_id: str, entry_id: str, attempt: Attempt | None) -> Document:
        """Make a new draft from an entry (R77): its texts, without days, number, evidence, links or provenance."""

        async def add(act: Act) -> Document:
            entry = await found(act.log, entry_id, KIND)
            return await self._create(act, entries.copied(entry, self._forms.current("log")), draft=True)

        return await self._acts.run(member_id, lambda act: once(act, attempt, lambda: add(act)))


async def _announce_completed(act: Act, before: Document, after: Document) -> None:
    if after["complete"] and not before.get("complete"):
        data = {"entry_id": after["_id"], "date": after.get("date")}
        await act.announce("log.completed", f"{after['_id']}:{after['version']}", data)
