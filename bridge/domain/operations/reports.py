"""Reports: numbers of a month that tell of no group of fewer than ten people (R64, docs/decisions/0024).

A report is a list of cells, each of one whole month; no row is counted in two, and there are no totals. A cell of fewer
than ten people has no number, every other number is rounded down to a ten.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date, datetime, tzinfo
from typing import Final, Literal

from dateutil.relativedelta import relativedelta

FEWEST_PEOPLE: Final = 10  # a group of fewer people is not told of
STEP: Final = 10  # numbers are rounded down to a multiple of this

LONGEST_RANGE: Final = 60
"""Months of one report."""

USUAL_RANGE: Final = 12  # months of a report that names none

MonthNumber = int
"""A month as a whole number: twelve times the year, and the month counted from 0."""

Measure = Literal["entries", "plan_items", "members"]
"""What a cell of the use report counts: entries and plan items made in the month, or members with a record of them."""


@dataclass(frozen=True, slots=True)
class Cell:
    """A cell: what its rows have in common, how many there are, and of how many people."""

    key: tuple[str | None, ...]
    rows: int
    people: int

    @property
    def is_shown(self) -> bool:
        """Say whether the group is large enough to be shown."""
        return self.people >= FEWEST_PEOPLE

    @property
    def count(self) -> int | None:
        """Return the number that is shown, or None for a group of fewer than ten people."""
        return self.rows // STEP * STEP if self.is_shown else None


def merge(cells: Iterable[Cell]) -> list[Cell]:
    """Return cells with those of one key put together, in order.

    People of two parts may be the same, so that the largest part alone is sure to be that many.
    """
    merged: dict[tuple[str | None, ...], Cell] = {}
    for cell in cells:
        cell_before = merged.get(cell.key, Cell(cell.key, 0, 0))
        merged[cell.key] = Cell(cell.key, cell.rows + cell_before.rows, max(cell.people, cell_before.people))
    return sorted(merged.values(), key=lambda cell: [part or "" for part in cell.key])


def month_number(text: str) -> MonthNumber:
    """Return the number of a month, ``YYYY-MM``."""
    year, month = text.split("-")
    return int(year) * 12 + int(month) - 1


def month_name(month: MonthNumber) -> str:
    """Return a month as ``YYYY-MM``."""
    return f"{month // 12:04}-{month % 12 + 1:02}"


def months_to_report(first: MonthNumber | None, last: MonthNumber | None, today: date) -> Iterator[MonthNumber]:
    """Yield the months of a range until this one: the last ``USUAL_RANGE`` of it without a first, else the first 60."""
    latest = today.year * 12 + today.month - 1
    end = latest if last is None else min(last, latest)
    start = end - USUAL_RANGE + 1 if first is None else first
    yield from range(start, min(end + 1, start + LONGEST_RANGE))


def span_of(month: MonthNumber, zone: tzinfo) -> tuple[datetime, datetime]:
    """Return when a month begins, and when the next does, where the service is."""
    start = datetime(month // 12, month % 12 + 1, 1, tzinfo=zone)
    return start, start + relativedelta(months=1)
