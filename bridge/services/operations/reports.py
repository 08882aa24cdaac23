"""Reports for the Register team and the platform: how completions ended, and how the record is used (R64)."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import date, datetime, tzinfo
from typing import TypedDict

from bridge.domain.operations.reports import Cell, Measure, MonthNumber, merge, month_name, months_to_report, span_of
from bridge.store import ReportCounts


class CompletionCell(TypedDict):
    """Statements of a month that came and ended alike."""

    month: str
    source: str | None
    disposition: str | None
    reason: str | None
    count: int | None
    suppressed: bool


class UseCell(TypedDict):
    """What was made in a month and is alike."""

    month: str
    measure: Measure
    type: str | None
    source: str | None
    state: str | None
    count: int | None
    suppressed: bool


class Reports:
    """Makes reports, month by month; ``today`` gives the local day."""

    def __init__(self, counts: ReportCounts, zone: tzinfo, today: Callable[[], date]) -> None:
        self._counts = counts
        self._zone = zone
        self._today = today

    async def completions(self, first: MonthNumber | None, last: MonthNumber | None) -> list[CompletionCell]:
        """Return the statements of each month by how they came and ended."""
        cells: list[CompletionCell] = []
        for month in months_to_report(first, last, self._today()):
            for cell in await self._cells(self._counts.statements, month):
                source, disposition, reason = cell.key
                cells.append(
                    {
                        "month": month_name(month),
                        "source": source,
                        "disposition": disposition,
                        "reason": reason,
                        "count": cell.count,
                        "suppressed": not cell.is_shown,
                    }
                )
        return cells

    async def use(self, first: MonthNumber | None, last: MonthNumber | None) -> list[UseCell]:
        """Return the entries, plan items and members with a record of each month."""
        cells: list[UseCell] = []
        for month in months_to_report(first, last, self._today()):
            entries = await self._cells(self._counts.entries, month)
            items = await self._cells(self._counts.plan_items, month)
            # Members are counted where their entries are told of: of the others, not even the sum says anything.
            members = await self._counts.members(*span_of(month, self._zone), [c for c in entries if c.is_shown])
            cells += [_use(month, "entries", cell, *cell.key) for cell in entries]
            cells += [_use(month, "plan_items", cell, None, None, *cell.key) for cell in items]
            cells += [_use(month, "members", members)] if members.is_shown else []
        return cells

    async def _cells(
        self, read: Callable[[datetime, datetime], Awaitable[list[Cell]]], month: MonthNumber
    ) -> list[Cell]:
        return merge(await read(*span_of(month, self._zone)))


def _use(
    month: MonthNumber,
    measure: Measure,
    cell: Cell,
    entry_type: str | None = None,
    source: str | None = None,
    state: str | None = None,
) -> UseCell:
    return {
        "month": month_name(month),
        "measure": measure,
        "type": entry_type,
        "source": source,
        "state": state,
        "count": cell.count,
        "suppressed": not cell.is_shown,
    }
