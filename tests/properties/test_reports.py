"""No two numbers of reports tell of a group of fewer than ten people (R64, docs/decisions/0024)."""

from __future__ import annotations

from datetime import UTC, date
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from bridge.domain.operations.reports import (
    LONGEST_RANGE,
    Cell,
    merge,
    month_name,
    month_number,
    months_to_report,
    span_of,
)

TODAY = date(2026, 11, 29)
MONTHS = st.integers(month_number("2019-01"), month_number("2028-12"))


@given(st.integers(0, 60), st.integers(0, 200))
def test_a_small_group_has_no_number(people: int, more_rows: int) -> None:
    """A number is told from ten people on, as a multiple of ten that is not more than there are."""
    rows = people + more_rows
    count = Cell(("course",), rows, people).count
    assert (count is None) == (people < 10)
    assert count is None or (count % 10 == 0 and 10 <= count <= rows < count + 10)


@given(st.lists(st.integers(10, 200), max_size=12), st.integers(0, 9), st.integers(0, 30))
def test_what_two_reports_tell_of_one_act_hides_a_small_group(
    cells: list[int], small_group: int, deletions: int
) -> None:
    """Statements that made entries, less the entries told of, leave every size of the group that is not told of.

    Of those statements ``small_group`` made an entry of a small cell, and ``deletions`` one that is not there any more.
    For each other size there are statements and entries that would be told of by the same numbers.
    """
    statements = sum(cells) + small_group + deletions
    told_statements, told_cells = statements // 10 * 10, [rows // 10 * 10 for rows in cells]
    for other_size in range(10):
        most_statements = told_statements + 9
        other_deletions = most_statements - sum(told_cells) - other_size
        assert other_deletions >= 0
        assert most_statements // 10 * 10 == told_statements


@given(MONTHS | st.none(), MONTHS | st.none())
def test_a_report_has_whole_months_until_this_one(first: int | None, last: int | None) -> None:
    """Each once, in order, within what is asked for, and so many at most."""
    months = list(months_to_report(first, last, TODAY))
    assert months == sorted(set(months))
    assert len(months) <= LONGEST_RANGE
    assert all(month_name(month) <= "2026-11" for month in months)
    assert all((first or 0) <= month <= (last or month) for month in months)
    spans = [span_of(month, UTC) for month in months]
    assert all(end == start for (_, end), (start, _) in pairwise(spans)), "no moment is in two"


def test_parts_of_a_cell_are_sure_of_the_largest_alone() -> None:
    """The people of two parts may be the same ones."""
    assert merge([Cell(("a",), 9, 9), Cell(("b",), 1, 1), Cell(("a",), 8, 8)]) == [
        Cell(("a",), 17, 9),
        Cell(("b",), 1, 1),
    ]
