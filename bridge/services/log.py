"""The member's log of completed CPD (R16-R25)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from bridge.errors import NotFound
from bridge.services.periods import Periods
from bridge.services.stores import Stores
from bridge.store.listing import Listing, Sort
from bridge.store.members import calendar_of


@dataclass(frozen=True, slots=True)
class LogFilter:
    """What a list of the log is narrowed to; ``period`` is an id, ``current`` or ``all``."""

    period: str = "current"


class Log:
    """Reads a member's log entries."""

    def __init__(self, stores: Stores, periods: Periods) -> None:
        self._stores = stores
        self._periods = periods

    async def list(self, member_id: str, wanted: LogFilter, sort: Sort, limit: int, after: list[Any] | None) -> Listing:
        """Return a page of the member's entries; raises ``NotFound`` for an unknown period."""
        query: dict[str, Any] = {}
        if wanted.period != "all":
            calendar = calendar_of(await self._periods.member(member_id))
            query["period_id"] = self._periods.resolve(calendar, wanted.period).id
        return await self._stores.entries.list(member_id, query, sort, limit, after)

    async def get(self, member_id: str, entry_id: str) -> dict[str, Any]:
        """Return one entry of the member; raises ``NotFound``."""
        entry = await self._stores.entries.get(member_id, entry_id)
        if entry is None:
            raise NotFound("There is no such log entry in your record.")
        return entry
