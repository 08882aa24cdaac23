"""The membership year of an audit case that goes on: it stands as it was, whatever calendar is brought (R82).

It stands from the opening of the case to its end (docs/decisions/0019); each is done in the act that does the other.
"""

from __future__ import annotations

from typing import Any

from bridge.domain.record.calendars import calendar_of
from bridge.services.unit_of_work import Act

Document = dict[str, Any]


async def keep_year(act: Act, case: Document) -> None:
    """Let the year of a case that opens stand."""
    year = {"case_id": case["_id"], "start": case["start"], "end": case["end"]}
    await _set(act, [*(act.member.get("in_audit") or ()), year])


async def release_year(act: Act, case: Document) -> None:
    """Let the year of a case that ends go."""
    await _set(act, [year for year in act.member.get("in_audit") or () if year["case_id"] != case["_id"]])


async def _set(act: Act, years: list[Document]) -> None:
    """Write the years that stand; where that moves others, entries are filed anew after the act."""
    await act.stores.members.change(act.member_id, {"$set": {"in_audit": years}}, act.session)
    if calendar_of({**act.member, "in_audit": years}) != act.calendar:
        await act.plan.shown_anew()
        await act.stores.follow_ups.add(act.member_id, act.at, act.session, refile=True)
