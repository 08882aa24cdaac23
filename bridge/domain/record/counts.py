"""Counts of a membership year's log: entries by state and type, and minutes (R19, R45, R47)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final, Literal, get_args

RecordState = Literal["draft", "incomplete", "complete"]
STATES: Final[tuple[RecordState, ...]] = get_args(RecordState)
"""The three states of an entry (R38): draft; finished, but with gaps; complete. A plan item is never a draft."""

COUNTED_BY = ("period_id", "type", "draft", "complete", "linked", "participatory")
"""The fields of an entry that it is counted by."""


@dataclass(frozen=True, slots=True)
class EntryGroup:
    """Entries that are counted alike: how many, and their minutes."""

    period_id: str | None
    type: str | None
    draft: bool
    complete: bool
    linked: bool
    participatory: bool | None  # None where the member did not say
    entries: int
    minutes: int

    @property
    def state(self) -> RecordState:
        """Draft, incomplete or complete."""
        return state_of(draft=self.draft, complete=self.complete)


def state_of(*, draft: bool, complete: bool) -> RecordState:
    """Return the state of a record."""
    return "draft" if draft else "complete" if complete else "incomplete"


def total(groups: Iterable[EntryGroup]) -> int:
    """Return the number of entries."""
    return sum(group.entries for group in groups)


def counts(groups: Iterable[EntryGroup], waiting: int) -> dict[str, int]:
    """Return what a period shows: ``{total, draft, incomplete, complete, needs_attention, waiting}``."""
    of_state = _by_state(groups)
    needs_attention = of_state["draft"] + of_state["incomplete"]
    return {
        **of_state,
        "total": needs_attention + of_state["complete"],
        "needs_attention": needs_attention,
        "waiting": waiting,
    }


def by_type(groups: Sequence[EntryGroup]) -> dict[str, dict[str, int]]:
    """Return type → ``{total, draft, incomplete, complete}``, for types that have entries (R45)."""
    names = sorted({group.type or "none" for group in groups})
    return {name: _of_type([group for group in groups if (group.type or "none") == name]) for name in names}


def minutes(groups: Iterable[EntryGroup]) -> int:
    """Return the minutes of all entries."""
    return sum(group.minutes for group in groups)


def unlinked(groups: Iterable[EntryGroup]) -> int:
    """Return the number of entries without a link to the plan (R47)."""
    return total(group for group in groups if not group.linked)


def _of_type(groups: Sequence[EntryGroup]) -> dict[str, int]:
    return {"total": total(groups), **_by_state(groups)}


def _by_state(groups: Iterable[EntryGroup]) -> dict[str, int]:
    states: Counter[str] = Counter()
    for group in groups:
        states[group.state] += group.entries
    return {state: states[state] for state in STATES}
