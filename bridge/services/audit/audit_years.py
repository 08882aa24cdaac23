"""The membership year of an audit case that goes on: it stands as it was, whatever calendar is brought (R82).

It stands from the opening of the case to its end (docs/decisions/0019); each is done in the act that does the other.
"""

from __future__ import annotations

from typing import Any

from bridge.domain.record.calendars import calendar_of
from bridge.services.unit_of_work import UnitOfWork

Document = dict[str, Any]


async def keep_year(unit: UnitOfWork, case: Document) -> None:
    """Let the year of a case that opens stand."""
    year = {"case_id": case["_id"], "start": case["start"], "end": case["end"]}
    await _set(unit, [*(unit.member.get("in_audit") or ()), year])


async def release_year(unit: UnitOfWork, case: Document) -> None:
    """Let the year of a case that ends go."""
    await _set(unit, [year for year in unit.member.get("in_audit") or () if year["case_id"] != case["_id"]])


async def _set(unit: UnitOfWork, years: list[Document]) -> None:
    """Write the years that stand; where that moves others, entries are filed anew after the act."""
    await unit.stores.members.change(unit.member_id, {"$set": {"in_audit": years}}, unit.session)
    if calendar_of({**unit.member, "in_audit": years}) != unit.calendar:
        await unit.plan.shown_anew()
        await unit.stores.follow_ups.add(unit.member_id, unit.at, unit.session, refile=True)
