"""Reports over HTTP: how completions ended and how the record is used, and no small group given away (R64)."""

from __future__ import annotations

import csv
import io
import random
from collections import defaultdict
from collections.abc import Iterable
from datetime import UTC, datetime
from itertools import combinations
from typing import Any

import pytest

from tests.support.portal import Browser, Portal
from tests.support.searches import examples
from tests.support.storage import storage

MONTHS = ("2026-04", "2026-05", "2026-06")
KINDS = [
    (entry_type, source, draft, complete)
    for entry_type in ("course", "other", None)
    for source in ("learning_centre", "manual")
    for draft, complete in ((True, False), (False, False), (False, True))
]

Row = dict[str, Any]


def at(month: str, day: int = 15) -> datetime:
    """A time in a month."""
    return datetime.fromisoformat(f"{month}-{day:02}T12:00:00").replace(tzinfo=UTC)


def entry(number: int, member_id: str, month: str, kind: tuple[str | None, str, bool, bool]) -> Row:
    """An entry as far as reports know one."""
    entry_type, source, draft, complete = kind
    row = {"_id": f"e-{number}", "member_id": member_id, "created_at": at(month), "listed": True, "version": 1}
    return {
        **row,
        "source": source,
        "draft": draft,
        "complete": complete,
        **({"type": entry_type} if entry_type else {}),
    }


def some_entries(chance: random.Random, sizes: Iterable[int]) -> dict[tuple[Any, ...], list[Row]]:
    """Entries for each month and kind, of so many members."""
    cells: dict[tuple[Any, ...], list[Row]] = defaultdict(list)
    keys = [(month, *kind) for month in MONTHS for kind in KINDS]
    number = 0
    for key, size in zip(keys, sizes, strict=False):
        for member in chance.sample(range(40), size):
            for _ in range(chance.randint(1, 3)):
                number += 1
                cells[key].append(entry(number, f"m-{member}", key[0], key[1:]))
    return cells


def staff(portal: Portal, role: str = "register") -> Browser:
    """Somebody who may ask for reports."""
    return portal.browser("staff", role)


async def use(portal: Portal, first: str, last: str) -> list[Row]:
    """The cells of a use report."""
    return (await staff(portal).get(f"/v1/reports/use?from={first}&to={last}"))["items"]


@pytest.mark.parametrize("seed", range(1, 1 + examples(1, 3)))
async def test_no_report_of_any_range_tells_of_a_small_group(portal: Portal, seed: int) -> None:
    """Whatever small groups are, every report stays as it was: so no difference of any reports gives one away."""
    chance = random.Random(seed)
    cells = some_entries(chance, [chance.choice([0, 1, 5, 9, 10, 11, 30]) for _ in range(len(MONTHS) * len(KINDS))])
    entries = storage(portal.services).log_entries
    await entries.insert([row for rows in cells.values() for row in rows])
    ranges = [(first, last) for first, last in combinations((*MONTHS, "2026-07"), 2)]
    before = {months: await use(portal, *months) for months in ranges}
    whole = before[MONTHS[0], "2026-07"]
    for (first, last), items in before.items():
        assert items == [item for item in whole if first <= item["month"] <= last], "a cell is the same in any range"
    assert {item["suppressed"] for item in whole} == {True, False}
    small = [key for key, rows in cells.items() if rows and len({row["member_id"] for row in rows}) < 10]
    # Other people, and another number of them, in each group that is not told of.
    for place, key in enumerate(small, start=1):
        await entries.delete({"_id": {"$in": [row["_id"] for row in cells[key]]}})
        member_numbers = chance.sample(range(100, 200), chance.randint(1, 9))
        await entries.insert([entry(10_000 * place + n, f"m-{n}", key[0], key[1:]) for n in member_numbers])
    assert {months: await use(portal, *months) for months in ranges} == before


async def test_completions_are_told_by_month_and_how_they_ended(portal: Portal) -> None:
    """Counted by people: a hundred statements of nine are no number; the month is that of the service's time zone."""
    rows: list[Row] = []
    plan = [
        ("recorded", None, "amqp", 12, 25), ("ignored", "not_catalogue", "amqp", 9, 100),
        ("ignored", "verb", "http", 11, 19), ("recorded", None, "http", 10, 10),
    ]  # fmt: skip
    for disposition, reason, via, people, count in plan:
        for n in range(count):
            person = {"member_id": f"m-{n % people}"} if disposition == "recorded" else {"actor": bytes([n % people])}
            ending = {"disposition": disposition, **({"reason": reason} if reason else {}), "via": via}
            rows.append({"_id": f"s-{len(rows)}", "received_at": at("2026-05"), **person, **ending})
    rows += [{**rows[0], "_id": f"b-{n}", "received_at": datetime(2026, 4, 30, 23, 30, tzinfo=UTC)} for n in range(5)]
    rows += [{"_id": "new", "received_at": at("2026-05"), "raw": b"{}"}]
    await storage(portal.services).statements.insert(rows)
    path = "/v1/reports/completions?from=2026-04&to=2026-05"
    items = (await staff(portal, "platform").get(path))["items"]
    assert [(i["source"], i["disposition"], i["reason"], i["count"]) for i in items] == [
        ("amqp", "ignored", "not_catalogue", None),
        ("amqp", "recorded", None, 30),
        ("http", "ignored", "verb", 10),
        ("http", "recorded", None, 10),
    ]
    assert {i["month"] for i in items} == {"2026-05"}, "half past eleven in UTC is the next day in London in April"
    assert [i["suppressed"] for i in items] == [True, False, False, False]
    answer = await staff(portal).call("GET", path, accept="text/csv, application/json;q=0.5")
    table = list(csv.reader(io.StringIO(answer.body.decode())))
    assert table[:2] == [
        ["month", "source", "disposition", "reason", "count"],
        ["2026-05", "amqp", "ignored", "not_catalogue", "fewer than 10"],
    ]
    assert (len(table), answer.headers["Content-Type"]) == (5, "text/csv; charset=utf-8")
    assert "Accept" in answer.headers["Vary"]


async def test_use_has_plan_items_and_members(portal: Portal) -> None:
    """Plan items by state, and members who have an entry in a cell that is told of; what is deleted is not counted."""
    kind = ("course", "manual", False, True)
    rows = [entry(n, f"m-{n % 11}", "2026-05", kind) for n in range(33)]
    rows += [{**entry(100 + n, f"m-{50 + n}", "2026-05", kind), "listed": False} for n in range(20)]
    rows += [entry(200 + n, f"m-{70 + n}", "2026-05", ("other", "manual", True, False)) for n in range(9)]
    await storage(portal.services).log_entries.insert(rows)
    items = [{**entry(n, f"m-{n}", "2026-05", kind), "complete": n % 3 > 0} for n in range(30)]
    await storage(portal.services).plan_items.insert(items)
    counts = {(i["measure"], i["type"], i["state"]): i["count"] for i in await use(portal, "2026-05", "2026-05")}
    assert counts == {
        ("entries", "course", "complete"): 30,
        ("entries", "other", "draft"): None,
        ("plan_items", None, "complete"): 20,
        ("plan_items", None, "incomplete"): 10,
        ("members", None, None): 10,
    }


IMPOSSIBLE_RANGES: list[str] = ["from=2026-13", "from=2026-05&to=2026-04", "from=2000-01&to=2026-01", "month=2026-01"]


async def test_a_range_that_cannot_be_is_told(portal: Portal, subtests: pytest.Subtests) -> None:
    """422 for no month, a range the wrong way round or too long, and what is no parameter."""
    for query in IMPOSSIBLE_RANGES:
        with subtests.test(query):
            assert (await staff(portal).call("GET", f"/v1/reports/use?{query}")).status == 422


async def test_the_month_that_goes_on_is_told_until_now(portal: Portal) -> None:
    """With or without a range; of the months to come there is nothing."""
    now = datetime.now(UTC)
    rows = [{**entry(n, f"m-{n}", "2026-05", KINDS[0]), "created_at": now} for n in range(30)]
    await storage(portal.services).log_entries.insert(rows)
    items = (await staff(portal).get("/v1/reports/use"))["items"]
    assert [(item["measure"], item["count"]) for item in items] == [("entries", 30), ("members", 30)]
    assert await use(portal, f"{now:%Y-%m}", f"{now.year + 2}-12") == items
