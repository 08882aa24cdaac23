"""Reads a member's record for an export, page by page, so that its size does not matter (R43, R75)."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any, TypeVar

from bridge.domain.audit import OF_LOG, OF_PLAN
from bridge.domain.forms import Forms, values_of
from bridge.domain.members import MembershipYear
from bridge.domain.record import RecordCriteria, StoredRecord
from bridge.store import MemberRecords, Position, Stores

Row = dict[str, Any]
Names = Mapping[str, Mapping[str, str | None]]
R = TypeVar("R", bound=StoredRecord)

AT_ONCE = 200
NAMED = ("reference", "title")


@dataclass(frozen=True, slots=True)
class RecordFilter:
    """What is read: the days of ``span`` (None is all), by ``periods`` where it is one, and ``complete`` entries only.

    ``periods`` are period ids, with None for the undated entries that belong to the current period.
    """

    span: MembershipYear | None = None
    periods: tuple[str | None, ...] | None = None
    complete: bool = True

    def entries(self) -> RecordCriteria:
        """Return the criteria of the log entries."""
        complete = [("complete", True)] if self.complete else []
        if self.periods is not None or self.span is None:
            return RecordCriteria(complete, period_ids=self.periods)
        return RecordCriteria(complete, days=(self.span.start.isoformat(), self.span.end.isoformat()))

    def items(self) -> RecordCriteria:
        """Return the criteria of the plan items, which are not judged by whether they are complete (R74)."""
        return RecordCriteria(touching=self.span)


class RecordReader:
    """One member's record, as it is shown: fields of the forms, and what is known of each record."""

    def __init__(self, stores: Stores, forms: Forms, member_id: str) -> None:
        self._stores = stores
        self._forms = forms
        self._member_id = member_id

    async def entries(self, record_filter: RecordFilter) -> AsyncGenerator[Row]:
        """Give the log entries by date, those without one last; each with its ``evidence``."""
        async for page in _pages(self._stores.log.of(self._member_id), record_filter.entries(), "date"):
            files = await self._stores.evidence.of_entries(self._member_id, [entry["_id"] for entry in page])
            for entry in page:
                row = self._row("log", entry, (*OF_LOG, "provenance"))
                yield {**row, "evidence": files.get(entry["_id"], [])}

    async def items(self, record_filter: RecordFilter) -> AsyncGenerator[Row]:
        """Give the plan items by start date, those without one last."""
        async for page in _pages(self._stores.plan.of(self._member_id), record_filter.items(), "start_date"):
            for item in page:
                yield self._row("plan", item, (*OF_PLAN, "log_ids"))

    async def comments(self, record_filter: RecordFilter) -> AsyncGenerator[Row]:
        """Give the comments, oldest first."""
        span = record_filter.span or MembershipYear(date.min, date.max)
        after: Position | None = None
        while True:
            page = await self._stores.comments.list(self._member_id, span, [("created_at", False)], AT_ONCE, after)
            for comment in page.items:
                yield {
                    "text": comment["text"],
                    "refers_to": comment["refers_to"],
                    "author": comment["author"],
                    "created_at": comment["created_at"],
                    "day": comment["day"],
                    "id": comment["_id"],
                }
            if (after := page.next) is None:
                return

    async def log_names(self, record_filter: RecordFilter | None = None) -> Names:
        """Return id → reference and title of the log entries, every one unless narrowed."""
        return await _names(
            self._stores.log.of(self._member_id), record_filter.entries() if record_filter else RecordCriteria()
        )

    async def plan_names(self) -> Names:
        """Return id → reference and title of every plan item."""
        return await _names(self._stores.plan.of(self._member_id), RecordCriteria())

    def _row(self, kind: str, record: StoredRecord, names: tuple[str, ...]) -> Row:
        form = self._forms.form(kind, record["form_version"])
        return {
            "id": record["_id"],
            **{name: record.get(name) for name in names},
            **values_of(form, record),
        }


async def _pages(
    records: MemberRecords[R], criteria: RecordCriteria, order: str, fields: tuple[str, ...] = ()
) -> AsyncGenerator[list[R]]:
    after: Position | None = None
    while True:
        page = await records.page(criteria, [(order, False)], AT_ONCE, after, fields=fields, counts=False)
        yield page.items
        if (after := page.next) is None:
            return


async def _names(records: MemberRecords[R], criteria: RecordCriteria) -> Names:
    pages = _pages(records, criteria, "title", NAMED)
    return {
        record["_id"]: {"reference": record.get("reference"), "title": record.get("title")}
        async for page in pages
        for record in page
    }
