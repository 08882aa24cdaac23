"""A member with a long log, and the calls whose cost is looked at."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from bridge.services.unit_of_work import UnitOfWork, UnitsOfWork
from tests.support.portal import Answer, Browser, Portal, full_entry

AT_ONCE = 500
SO_FAR = 300
"""Days of the membership year that have passed."""


@dataclass(frozen=True)
class LongLog:
    """A member with many entries, and the id of one of them."""

    browser: Browser
    entry_id: str


async def fill(portal: Portal, member_id: str, number: int, years: int = 1) -> LongLog:
    """Give a member this many drafts, as many in each of the last ``years`` membership years, on all days of each."""
    today = datetime.now(UTC).date()
    browser = await portal.member(member_id, renewal_date=(today - timedelta(days=SO_FAR)).isoformat())
    days = [today - timedelta(days=365 * (n % years) + 7 * n % SO_FAR) for n in range(number)]
    bodies = [(full_entry(title=f"Entry {n}", date=day.isoformat()), True) for n, day in enumerate(days)]
    acts, log = UnitsOfWork(portal.services.stores, UTC), portal.services.log
    entry_ids: list[str] = []
    for start in range(0, number, AT_ONCE):

        async def add(act: UnitOfWork, start: int = start) -> None:
            entries = await log.create_in(act, bodies[start : start + AT_ONCE], "import")
            entry_ids.extend(entry["_id"] for entry in entries)

        await acts.run(member_id, add)
    return LongLog(browser, entry_ids[0])


CALLS: Mapping[str, Callable[[LongLog], Awaitable[Answer]]] = {
    "a page of the log": lambda log: log.browser.call("GET", "/v1/log"),
    "a page of all years": lambda log: log.browser.call("GET", "/v1/log?period=all"),
    "the overview": lambda log: log.browser.call("GET", "/v1/periods/current"),
    "a save": lambda log: log.browser.call("PATCH", f"/v1/log/{log.entry_id}", {"title": "Another"}, if_match="*"),
}
"""What people do most."""
