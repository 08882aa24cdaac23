"""Counting without reading: what moves between tallies, and where a long list may be cut."""

from __future__ import annotations

from collections import Counter
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from bridge.domain.records import LAST
from bridge.domain.tallies import by_type, counts, moves, pieces

ENTRY: dict[str, Any] = {"draft": False, "complete": True, "type": "course", "date": "2026-05-04", "minutes": 60}


def test_an_entry_that_moves_leaves_one_tally_for_another():
    """R16: what a period loses the other gains, and what does not change is not written."""
    before = {**ENTRY, "tallied": "2025-04-01"}
    after = {**ENTRY, "tallied": "2026-04-01", "plan_ids": ["p"]}
    moved = moves([(before, after)])
    gained = {"complete": 1, "minutes": 60, "types.course.complete": 1, "days.2026-05-04": 1}
    assert moved["2026-04-01"] == gained
    assert moved["2025-04-01"] == {"unlinked": -1, **{path: -number for path, number in gained.items()}}
    assert moves([(after, after)]) == {"2026-04-01": {}}


def test_a_new_entry_adds_and_a_deleted_one_takes_away():
    """Decision 5: a deleted entry is in no count."""
    listed = {**ENTRY, "tallied": "2026-04-01"}
    (added,) = moves([(None, listed)]).values()
    (taken,) = moves([(listed, ENTRY)]).values()
    assert added == {path: -number for path, number in taken.items()}


def test_an_empty_tally_counts_nothing():
    """R81: an empty record is a valid one."""
    assert set(counts({}, 0).values()) == {0}
    assert by_type({"types": {"course": {"draft": 0}}}) == {}


@given(
    st.dictionaries(st.dates().map(str), st.integers(1, 300), min_size=1, max_size=30),
    st.booleans(),
    st.integers(1, 60),
)
def test_pieces_follow_each_other_and_hold_a_page(numbers: dict[str, int], descending: bool, rows: int):
    """No day lies before the start, each stop is beyond the one before, and each piece holds a page."""
    start, stops = pieces([{"days": numbers}], descending, None, rows)
    places = [*([start] if start else []), *stops]
    assert places == sorted(places, reverse=descending)
    if start is not None:
        assert start[0] == (max if descending else min)(numbers)
    left = sorted(numbers, reverse=descending)
    for day in dict.fromkeys(day for day, _ in stops):
        piece, left = left[: left.index(day) + 1], left[left.index(day) + 1 :]
        held = [numbers[one] for one in piece]
        assert sum(held[:-1]) < rows <= sum(held), "a piece ends with the day that fills a page"


def test_pieces_go_on_from_where_a_page_ended():
    """The days before the last row seen are left out; a crowded day is cut further on."""
    tally = {"days": Counter({"2026-05-01": 5, "2026-05-02": 5, "2026-05-03": 1000})}
    assert pieces([tally], False, ("2026-05-01", "x"), 5) == (("2026-05-01", "x"), [("2026-05-02", LAST)])
    start, (stop,) = pieces([tally], True, ("2026-05-03", "80000000-0000"), 5)
    assert start == ("2026-05-03", "80000000-0000")
    assert stop[0] == "2026-05-03"
    assert "7d" < stop[1] < "80"
    assert pieces([tally], False, None, 30)[1][0] == ("2026-05-03", ""), "what lies before a crowded day is a piece"
