"""Takes what the worker wrote into the lists of a member's record, when the record is next looked at.

The worker's drafts are ``arrived``, and in no list. Taking one in gives it its number (oldest first), its sort keys and
search tokens, and counts it in its period's tally; so recording a completion stays one insert, and each count is
exact. A draft that arrived for a period in the very instant that it froze stays out, and waits, until the freeze ends.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Coroutine, Iterable
from dataclasses import replace
from datetime import date
from typing import Any, TypeVar

from bridge.domain import entries, tallies
from bridge.domain.forms import Forms
from bridge.domain.periods import Period
from bridge.services.acts import Act, Acts, Unlisted
from bridge.services.stores import Stores
from bridge.store.members import calendar_of, frozen_on

R = TypeVar("R")
Document = dict[str, Any]

AT_ONCE = 200
"""Entries taken in by one act."""


class Intake:
    """Brings a member's lists and tallies up to date."""

    def __init__(self, stores: Stores, acts: Acts, forms: Forms) -> None:
        self._stores = stores
        self._acts = acts
        self._forms = forms

    async def settle(self, member: Document) -> Counter[str]:
        """Take in whatever has arrived; returns period id → drafts that wait there for a freeze to end."""
        while due := _due(member, arrived := await self._stores.log.of(member["_id"]).arrived()):
            for start in range(0, len(due), AT_ONCE):
                chosen = [row["_id"] for row in due[start : start + AT_ONCE]]
                # The member as the act found it: a period may have frozen meanwhile, and what is due is then less.
                member = await self._acts.run(member["_id"], lambda act, chosen=chosen: self._take_in(act, chosen))
        return _waiting(member, arrived)

    async def take_some(self, member_id: str) -> bool:
        """Take in the oldest of what has arrived, at most ``AT_ONCE``; returns whether more is due."""
        member = await self._stores.members.get(member_id)
        due = _due(member, await self._stores.log.of(member_id).arrived()) if member else []
        chosen = [row["_id"] for row in due[:AT_ONCE]]
        if chosen:
            await self._acts.run(member_id, lambda act: self._take_in(act, chosen))
        return len(due) > AT_ONCE

    async def _take_in(self, act: Act, entry_ids: list[str]) -> Document:
        found = await act.log.some(entry_ids)
        due = _due(act.member, [entry for entry in found if entry.get("arrived")])
        unnumbered = [entry for entry in due if _is_live(entry) and not entry.get("listed")]
        numbers = await act.numbers("log", len(unnumbered))
        numbered = {entry["_id"]: f"L{number}" for entry, number in zip(unnumbered, numbers, strict=True)}
        pairs = [(entry, self._taken(entry, numbered.get(entry["_id"]), act)) for entry in due]
        await save_entries(act, pairs)
        return act.member

    def _taken(self, entry: Document, number: str | None, act: Act) -> Document:
        if not _is_live(entry):
            return {name: value for name, value in entry.items() if name not in {"arrived", "tallied"}}
        form = self._forms.form("log", entry["form_version"])
        known: Document = {"plan_ids": [], **({"reference": number} if number else {}), **entry}
        return entries.listed(known, form, act.calendar)


class UpToDate(Acts):
    """Acts that find a draft by the id that ``log.drafted`` told, whether or not anybody has looked at the list."""

    def __init__(self, stores: Stores, intake: Intake, beside: Acts) -> None:
        super().__init__(stores, beside)
        self._intake = intake

    async def run(self, member_id: str, work: Callable[[Act], Coroutine[Any, Any, R]]) -> R:
        """Run an act, again after taking in what has arrived if it met some of that."""
        run = super().run
        return await self.look(member_id, lambda: run(member_id, work))

    async def look(self, member_id: str, look: Callable[[], Coroutine[Any, Any, R]]) -> R:
        """Return what ``look`` does, which may raise ``Unlisted``; it is ``NotFound`` if that stays so (a freeze)."""
        try:
            return await look()
        except Unlisted:
            member = await self._stores.members.get(member_id)
        if member is not None:
            await self._intake.settle(member)
        return await look()


async def save_entries(act: Act, pairs: list[tuple[Document, Document]]) -> None:
    """Write entries and their tallies; each pair is an entry before and after, and an after that is not listed is gone.

    The version goes up where the member could see a difference.
    """
    written = [(before, _settled(before, after, act)) for before, after in pairs]
    await act.log.save(written)
    await act.stores.tallies.add(act.member_id, tallies.moves(written), act.session)


async def refile(act: Act, kept: Period) -> None:
    """Bring entries into the periods they will have once ``kept`` is one, if the years have moved over it (R82)."""
    years = act.calendar.between(kept.start, kept.end)
    calendar = replace(act.calendar, kept=(*act.calendar.kept, kept))
    found = await act.log.in_periods([year.id for year in years])
    ids = [calendar.period_for(date.fromisoformat(entry["date"])).id for entry in found]
    filed = [(entry, {**entry, "period_id": period_id}) for entry, period_id in zip(found, ids, strict=True)]
    await save_entries(act, [(before, after) for before, after in filed if before != after])


def _settled(before: Document, after: Document, act: Act) -> Document:
    listed = bool(after.get("listed"))
    settled = {name: value for name, value in after.items() if name != "tallied"}
    if listed:
        settled["tallied"] = tallies.tally_of(after)
    return {**settled, "version": before["version"] + 1, "updated_at": act.at}


def _is_live(entry: Document) -> bool:
    return entry.get("deleted_at") is None


def _due(member: Document, arrived: Iterable[Document]) -> list[Document]:
    """Return what can be taken in now, oldest first."""
    due = [row for row in arrived if not _waits(member, row)]
    return sorted(due, key=lambda row: (row.get("date") or "", row["created_at"], row["_id"]))


def _waits(member: Document, row: Document) -> bool:
    fresh = _is_live(row) and not row.get("listed")
    return bool(fresh and row.get("date") and frozen_on(member, date.fromisoformat(row["date"])))


def _waiting(member: Document, arrived: Iterable[Document]) -> Counter[str]:
    calendar = calendar_of(member)
    days = [date.fromisoformat(row["date"]) for row in arrived if _waits(member, row)]
    return Counter(calendar.period_for(day).id for day in days)
