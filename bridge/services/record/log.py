"""The member's log of completed CPD (R16-R46, R76-R78)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from bridge.domain.events import LOG_COMPLETED, CompletedEntryData
from bridge.domain.forms import Forms, Values, misfits
from bridge.domain.record import EvidenceSummary, RecordCriteria, Source, StoredEntry, entries
from bridge.services.record.links import relink_entry, save_deleted_entry
from bridge.services.record.periods import Periods
from bridge.services.unit_of_work import (
    ENTRY,
    Attempt,
    Check,
    UnitOfWork,
    UnitsOfWork,
    get_for_restore,
    get_for_update,
    get_or_404,
    raise_for_errors,
)
from bridge.store import Listing, Position, Sort, Stores

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

    def criteria(self, period_ids: Sequence[str | None] | None) -> RecordCriteria:
        """Return what of it a record is chosen by: everything but the keywords, the period by ids."""
        equal = {name: getattr(self, name) for name in ("type", "source", "draft", "complete", "linked")}
        conditions = [(name, value) for name, value in equal.items() if value is not None]
        if self.needs_attention is not None:
            conditions.append(("complete", not self.needs_attention))
        days = (str(self.date_from or date.min), str(self.date_to or date.max))
        is_dated = self.date_from is not None or self.date_to is not None
        return RecordCriteria(conditions, period_ids=period_ids, days=days if is_dated else None)


class WholeEntry(StoredEntry):
    """An entry as it is shown by itself."""

    evidence: list[EvidenceSummary]


class Log:
    """Reads and changes a member's log entries."""

    def __init__(self, stores: Stores, units: UnitsOfWork, forms: Forms, periods: Periods) -> None:
        self._stores = stores
        self._units = units
        self._forms = forms
        self._periods = periods

    async def list(
        self, member_id: str, log_filter: LogFilter, sort: Sort, limit: int, after: Position | None
    ) -> Listing[StoredEntry]:
        """Return a page of the member's entries; raises ``NotFound`` for an unknown period.

        The current period's list has undated entries too, so that they are not lost from sight (R76).
        """
        member = await self._periods.get_member(member_id)
        period_ids = self._periods.period_ids(member, log_filter.period)
        records = self._stores.log.of(member_id)
        return await records.page(log_filter.criteria(period_ids), sort, limit, after, q=log_filter.q, fields=ROW)

    async def get(self, member_id: str, entry_id: str) -> WholeEntry:
        """Return one entry of the member with its ``evidence``; raises ``NotFound``."""
        await self._periods.get_member(member_id)
        return await self._whole(await get_or_404(self._stores.log.of(member_id), entry_id, ENTRY))

    async def _whole(self, entry: StoredEntry) -> WholeEntry:
        files = await self._stores.evidence.of_entries(entry["member_id"], [entry["_id"]])
        return {**entry, "evidence": files.get(entry["_id"], [])}

    async def create(self, member_id: str, values: Values, draft: bool, attempt: Attempt | None) -> StoredEntry:
        """Add an entry by hand (R32, R33); raises ``ValidationFailed`` or ``RecordFrozen``."""
        return await self._units.run(member_id, lambda unit: self._create(unit, values, draft), attempt)

    async def _create(self, unit: UnitOfWork, values: Values, draft: bool) -> StoredEntry:
        (entry,) = await self.create_in(unit, [(values, draft)], "manual")
        return entry

    async def create_in(
        self, unit: UnitOfWork, drafts: Sequence[tuple[Values, bool]], source: Source
    ) -> list[StoredEntry]:
        """Add entries within a unit of work, all or none: fields of the current form, and whether each is a draft.

        Raises ``ValidationFailed`` for the first one that is wrong, or ``RecordFrozen``.
        """
        form = self._forms.current("log")
        numbers = iter(await unit.numbers("log", len([1 for values, _ in drafts if not values.get("reference")])))
        created: list[StoredEntry] = []
        for values, draft in drafts:
            raise_for_errors(entries.faults(form, values, values, unit.today))
            unit.raise_if_days_frozen(values.get("date"))
            numbered_values = values if values.get("reference") else {**values, "reference": f"L{next(numbers)}"}
            entry = entries.new_entry(
                unit.member_id,
                numbered_values,
                draft=draft,
                source=source,
                form=form,
                calendar=unit.calendar,
                at=unit.at,
            )
            created.append(entry)
        await unit.log.add(created)
        for entry in created:
            await _announce_completed(unit, None, entry)
        return created

    async def edit(
        self, member_id: str, entry_id: str, changes: Values, draft: bool | None, check: Check
    ) -> WholeEntry:
        """Change fields of an entry (R30, R35-R38); None in ``changes`` clears a field.

        Raises ``NotFound``, ``RecordFrozen``, what ``check`` raises, or ``ValidationFailed``.
        """

        async def work(unit: UnitOfWork) -> StoredEntry:
            before = await get_for_update(unit.log, entry_id, ENTRY, check)
            form = self._forms.form("log", before["form_version"])
            raise_for_errors(misfits(form, changes))
            after = entries.changed(before, changes, draft, form, unit.calendar, unit.at)
            raise_for_errors(entries.faults(form, after, changes, unit.today))
            if after.get("date") != before.get("date"):
                unit.raise_if_days_frozen(before.get("date"), after.get("date"))
            return await self._save(unit, before, after)

        return await self._whole(await self._units.run(member_id, work))

    async def _save(self, unit: UnitOfWork, before: StoredEntry, after: StoredEntry) -> StoredEntry:
        await unit.save_entries([(before, after)])
        saved_entry = await get_or_404(unit.log, before["_id"], ENTRY)
        await _announce_completed(unit, before, saved_entry)
        return saved_entry

    async def delete(self, member_id: str, entry_id: str, check: Check) -> None:
        """Delete an entry, softly (decision 5); its links go out of sight with it."""

        async def work(unit: UnitOfWork) -> None:
            before = await get_for_update(unit.log, entry_id, ENTRY, check)
            await save_deleted_entry(unit, before)

        await self._units.run(member_id, work)

    async def restore(self, member_id: str, entry_id: str) -> WholeEntry:
        """Bring a deleted entry back with its links; a live one stays as it is (decision 5).

        Raises ``NotFound``, ``Conflict`` after ``RESTORABLE_DAYS``, or ``RecordFrozen``.
        """

        async def work(unit: UnitOfWork) -> StoredEntry:
            before = await get_for_restore(unit.log, entry_id, ENTRY, unit.at)
            if not before.get("deleted_at"):
                return before
            unit.raise_if_days_frozen(before.get("date"))
            plan_ids = await relink_entry(unit, before)
            after = {name: value for name, value in before.items() if name != "deleted_at"}
            form = self._forms.form("log", before["form_version"])
            restored_entry = entries.listed({**after, "plan_ids": plan_ids, "touched_at": unit.at}, form, unit.calendar)
            return await self._save(unit, before, restored_entry)

        return await self._whole(await self._units.run(member_id, work))

    async def copy(self, member_id: str, entry_id: str, attempt: Attempt | None) -> StoredEntry:
        """Make a new draft from an entry (R77): its texts, without days, number, evidence, links or provenance."""

        async def add(unit: UnitOfWork) -> StoredEntry:
            entry = await get_or_404(unit.log, entry_id, ENTRY)
            return await self._create(unit, entries.copied(entry, self._forms.current("log")), draft=True)

        return await self._units.run(member_id, add, attempt)


async def _announce_completed(unit: UnitOfWork, before: StoredEntry | None, after: StoredEntry) -> None:
    if after["complete"] and not (before and before["complete"]):
        data: CompletedEntryData = {"entry_id": after["_id"], "date": after.get("date")}
        await unit.announce(LOG_COMPLETED, f"{after['_id']}:{after['version']}", data)
