"""Counting a log without reading it: what an act changes, what a period shows, where a page lies."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

from bridge.domain.entries import UNDATED, facts
from bridge.domain.records import LAST

Tally = Mapping[str, Any]

Place = tuple[str, str]
"""A day and an id: a place in a list by date."""

CROWD = 4
"""A day with so many times the rows of a page is read in parts."""

SPARE = 1.5
"""How many times the rows of a page a part of a crowded day is to hold, so that it seldom holds too few."""

STOPS = 2
"""The pieces, of a page each, to read before the rest of a list: the second is for a first that held too few."""

STATES = ("draft", "incomplete", "complete")
"""The three states of an entry (R38): draft; finished, but with gaps; complete."""


def moves(changes: Iterable[tuple[Mapping[str, Any] | None, Mapping[str, Any] | None]]) -> dict[str, dict[str, int]]:
    """Return what entries add to each tally, from before (None: new, or in no tally) to after (None: gone).

    ``tallied`` of the entry before says which tally it is in.
    """
    found: dict[str, Counter[str]] = {}
    for before, after in changes:
        if before is not None and before.get("tallied"):
            found.setdefault(before["tallied"], Counter()).subtract(facts(before))
        if after is not None and after.get("tallied"):
            found.setdefault(after["tallied"], Counter()).update(facts(after))
    return {period: {path: n for path, n in numbers.items() if n} for period, numbers in found.items()}


def tally_of(entry: Mapping[str, Any]) -> str:
    """Return the tally that a live entry belongs in."""
    return entry.get("period_id") or UNDATED


def counts(tally: Tally, waiting: int) -> dict[str, int]:
    """Return what a period shows: ``{total, draft, incomplete, complete, needs_attention, waiting}``."""
    of_state = {state: int(tally.get(state, 0)) for state in STATES}
    needing = of_state["draft"] + of_state["incomplete"]
    return {**of_state, "total": needing + of_state["complete"], "needs_attention": needing, "waiting": waiting}


def by_type(tally: Tally) -> dict[str, dict[str, int]]:
    """Return type → ``{total, draft, incomplete, complete}``, for types that have entries (R45)."""
    found: dict[str, dict[str, int]] = {}
    for name, states in tally.get("types", {}).items():
        numbers = {state: states.get(state, 0) for state in STATES}
        if any(numbers.values()):
            found[name] = {"total": sum(numbers.values()), **numbers}
    return dict(sorted(found.items()))


def days(tally: Tally) -> dict[str, int]:
    """Return day → number of entries, for the days that have any."""
    return {day: n for day, n in tally.get("days", {}).items() if n > 0 and day != "none"}


def pieces(
    tallies: Iterable[Tally], descending: bool, after: Place | None, rows: int
) -> tuple[Place | None, list[Place]]:
    """Return where to start in a list by date, and where to stop on the way, with about ``rows`` rows in each piece.

    ``after`` is the place of the last row seen. Stops are for reading a long list in short pieces, and need not be
    right. A day with very many entries is cut by its ids, which are UUIDs and so spread evenly.
    """
    number: Counter[str] = Counter()
    for tally in tallies:
        number.update(days(tally))
    first, last = (LAST, "") if descending else ("", LAST)
    held = 0
    stops: list[Place] = []
    for day in sorted(number, reverse=descending):
        if after is not None and (day > after[0] if descending else day < after[0]):
            continue
        again = after is not None and day == after[0]
        crowded = number[day] > CROWD * rows
        if len(stops) == STOPS or (stops and crowded):
            break
        if crowded:
            begin = after if again and after is not None else (day, first)
            lead = [] if again or (after is None and not held) else [begin]  # nothing lies before the first day of all
            return (after if lead else begin), lead + _within(begin, descending, rows / number[day])
        held += 0 if again else number[day]
        if held >= rows:
            stops.append((day, last))
            held = 0
    return after, stops


def _within(begin: Place, descending: bool, share: float) -> list[Place]:
    """Return a place as far on in a crowded day as holds a page, when it is still in that day."""
    part = _part_of(begin[1]) + SPARE * share * (-1 if descending else 1)
    return [(begin[0], f"{int(part * 16**8):08x}")] if 0 < part < 1 else []


def _part_of(entry_id: str) -> float:
    """Return how far into all ids one lies, from 0 to 1."""
    if entry_id == LAST:
        return 1.0
    try:
        return int(entry_id[:8] or "0", 16) / 16**8
    except ValueError:
        return 0.5
