"""What happens on time: reminders of the audit, and years that end; once, whatever restarts (api.md, events)."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from datetime import UTC, date, timedelta

import pytest

from bridge.domain.events import OutboxEvent
from bridge.services.members.reminders import Reminders
from bridge.services.unit_of_work import UnitsOfWork
from bridge.settings import Settings
from tests.support.audit import Office, open_office


@pytest.fixture
async def office(settings: Settings) -> AsyncGenerator[Office]:
    """The API, called by anybody."""
    async with open_office(settings) as desk:
        yield desk


def at(office: Office, day: date) -> Reminders:
    """The clock of a worker that was started on a day."""
    stores = office.services.stores
    return Reminders(stores, UnitsOfWork(stores, UTC), office.services.follow_ups, 30, lambda: day)


async def events(office: Office, kind: str) -> list[OutboxEvent]:
    """The announcements of a kind, in order."""
    return [row for row in await office.services.stores.outbox.pending(100) if row["type"] == kind]


async def test_a_member_is_reminded_three_times(office: Office) -> None:
    """30, 7 and 3 days before, once each, by however many workers and restarts; and not once it is submitted."""
    sam = await office.add_member()
    due_date = office.today() + timedelta(days=42)
    case = await office.staff().select(due_date=due_date)
    sent_days: dict[int, int] = {}
    for days_left in range(42, -3, -1):
        day = due_date - timedelta(days=days_left)
        before = len(await events(office, "audit.due"))
        await asyncio.gather(*[at(office, day).remind() for _ in range(3)])
        sent_days[days_left] = len(await events(office, "audit.due")) - before
    assert {days_left: count for days_left, count in sent_days.items() if count} == {30: 1, 7: 1, 3: 1}
    assert [row["data"]["days"] for row in await events(office, "audit.due")] == [30, 7, 3]
    await sam.submit(case)
    assert await at(office, due_date - timedelta(days=1)).remind() == 0


async def test_a_submitted_case_is_not_reminded_of(office: Office) -> None:
    """Nothing is due from a member who has submitted; after a return it is again, by the new date."""
    sam, team = await office.add_member(), office.staff()
    due_date = office.today() + timedelta(days=8)
    case = await team.select(due_date=due_date)
    await sam.submit(case)
    assert await at(office, due_date - timedelta(days=7)).remind() == 0
    await team.decide(case, "return", due_date=f"{due_date + timedelta(days=30)}")
    assert await at(office, due_date - timedelta(days=7)).remind() == 0
    assert await at(office, due_date + timedelta(days=23)).remind() == 1


async def test_a_standstill_is_made_good_by_the_latest_alone(office: Office) -> None:
    """After days without a worker the member hears once, of how many days are left now."""
    await office.add_member()
    due_date = office.today() + timedelta(days=42)
    await office.staff().select(due_date=due_date)
    assert await at(office, due_date - timedelta(days=5)).remind() == 1
    (row,) = await events(office, "audit.due")
    assert row["data"]["days"] == 5


async def test_years_that_end_are_announced_once(office: Office) -> None:
    """Each member's own year, 30 days before its end; days without a worker are made good, by one of several."""
    await office.add_member("m-1", renewal_date="2026-04-01")
    await office.add_member("m-2", renewal_date="2026-04-03")
    await office.add_member("m-3", renewal_date="2026-04-09")
    day = date(2027, 3, 1)
    counts = await asyncio.gather(*[at(office, day).announce_endings() for _ in range(3)])
    assert sum(counts) == 1
    assert await at(office, day).announce_endings() == 0
    assert await at(office, day + timedelta(days=4)).announce_endings() == 1
    rows = await events(office, "period.ending")
    assert [(row["member_id"], row["data"]["period_id"], row["data"]["end"]) for row in rows] == [
        ("m-1", "2026-04-01", "2027-03-31"),
        ("m-2", "2026-04-03", "2027-04-02"),
    ]
