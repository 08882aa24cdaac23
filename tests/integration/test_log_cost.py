"""A long log costs what a short one costs, and every list is read by an index (issue 4)."""

from __future__ import annotations

import time
from collections.abc import Generator
from datetime import UTC, date, datetime, timedelta
from typing import Any, cast

import pytest
from pymongo import monitoring

from bridge.services.acts import Act, Acts
from bridge.store.database import plainly
from bridge.store.entries import Claim
from tests.support.portal import Browser, Portal, full_entry, full_item

FIRST = date(2017, 1, 1)
AT_ONCE = 500
TIMES = 21
ROOM = 2.5  # 1.5 is wanted, and reached on a quiet machine; beside another test process 1.7 was seen


async def fill(portal: Portal, member_id: str, number: int, days_used: int) -> Browser:
    """A member with this many entries on some days of ten years, with a word that only five entries have."""
    browser = await portal.member(member_id)
    days = [(FIRST + timedelta(days=3600 * (n * days_used // number) // days_used)).isoformat() for n in range(number)]
    given = [
        (full_entry(title=f"Entry {n} {'heron' if n % (number // 5) == 0 else 'lark'}", date=day), True)
        for n, day in enumerate(days)
    ]
    acts, log = Acts(portal.services.stores), portal.services.log
    for start in range(0, number, AT_ONCE):

        async def add(act: Act, start: int = start) -> None:
            await log.create_in(act, given[start : start + AT_ONCE], "import")

        await acts.run(member_id, add)
    return browser


async def cost(browser: Browser, path: str) -> float:
    """The seconds that one call takes."""
    began = time.perf_counter()
    await browser.get(path)
    return time.perf_counter() - began


@pytest.mark.timeout(120)
@pytest.mark.parametrize("days", [3600, 10], ids=["every day", "ten days"])
async def test_a_long_log_costs_what_a_short_one_does(portal: Portal, days: int) -> None:
    """R43: the first page, the current period and a keyword cost a member with 10,000 entries what 100 cost."""
    short, long = await fill(portal, "m-1", 100, days), await fill(portal, "m-2", 10_000, days)
    assert (await long.get("/v1/log?period=all"))["total"] == 10_000
    assert (await long.get("/v1/log?period=all&q=heron"))["total"] == 5
    dated: dict[str, Any] = {"order.date.empty": False, "order.date.key": {"$gte": ""}}
    assert await portal.services.stores.log.of("m-2").number(dated) == 10_000, "the store's index has lost entries"
    for path in ("/v1/log?period=all", "/v1/log?limit=5", "/v1/log?period=all&q=heron", "/v1/periods/current"):
        times: dict[str, list[float]] = {"short": [], "long": []}
        for _ in range(TIMES):  # in turns, so that whatever else runs here slows both
            times["short"].append(await cost(short, path))
            times["long"].append(await cost(long, path))
        ratio = min(times["long"]) / min(times["short"])  # what others do here only ever adds
        assert ratio < ROOM, (path, ratio)


async def test_an_entry_to_join_is_found_as_fast_among_many(portal: Portal) -> None:
    """Decision 7: what a batch of completions may join is looked up, however many entries others have."""
    entries, now = portal.services.stores.entries, datetime.now(UTC)

    def draft(number: int) -> dict[str, Any]:
        member_id, key = f"m-{number % 1000}", f"day:2026-05-04:{number}"
        return {"_id": f"e-{number}", "member_id": member_id, "merge_keys": [key], "version": 1, "created_at": now}

    wanted = [Claim(f"m-{n}", "none" if n % 2 else f"e-{n}", (f"day:2026-05-04:{n}",)) for n in range(20)]

    async def seconds() -> float:
        began = time.perf_counter()
        assert len(await entries.holding(wanted)) == 2 * len(wanted)
        return time.perf_counter() - began

    await entries.write([draft(n) for n in range(1000)], [])
    few = min([await seconds() for _ in range(5)])
    for start in range(1000, 20_000, 1000):
        await entries.write([draft(n) for n in range(start, start + 1000)], [])
    assert min([await seconds() for _ in range(5)]) < 4 * few


class Commands(monitoring.CommandListener):
    """Keeps the queries that are sent of plan and log."""

    def __init__(self) -> None:
        self.queries: list[dict[str, Any]] = []

    def started(self, event: monitoring.CommandStartedEvent) -> None:
        """Keep a query."""
        command = dict(event.command)
        if event.command_name in {"find", "aggregate"} and command[event.command_name] in {"log_entries", "plan_items"}:
            self.queries.append(command)

    def succeeded(self, event: monitoring.CommandSucceededEvent) -> None:
        """Take no notice."""

    def failed(self, event: monitoring.CommandFailedEvent) -> None:
        """Take no notice."""


@pytest.fixture
def commands() -> Generator[Commands]:
    """What is sent by the clients that are made in this test."""
    listener = Commands()
    monitoring.register(listener)
    yield listener
    cast("Any", monitoring)._LISTENERS.command_listeners.remove(listener)  # PyMongo offers no other way back


LISTS = [
    *(f"/v1/log?period={period}&sort={way}{name}" for period in ("current", "all", "2025-04-01")
      for name in ("date", "title", "type", "complete") for way in ("", "-")),
    "/v1/log?q=heron&draft=true&type=course&sort=-date,title",
    "/v1/log?complete=false&needs_attention=true&linked=false&date_from=2025-01-01&date_to=2026-01-01",
    "/v1/log?source=manual&sort=type,-complete",
    *(f"/v1/plan?sort={way}{name}" for name in ("title", "start_date", "completion_date") for way in ("", "-")),
    "/v1/plan?q=older&status=planned&theme=x&complete=true&period=current&linked=false",
    "/v1/periods/current",
    "/v1/periods",
]  # fmt: skip


async def test_every_list_is_read_by_an_index(commands: Commands, portal: Portal) -> None:
    """R20-R22: no query of a list, whatever its filters and order, reads the whole collection."""
    browser = await portal.member()
    for day in ("2026-05-04", "2025-05-04", None):
        await browser.post("/v1/log", full_entry(date=day))
    await browser.post("/v1/plan", full_item())
    for path in LISTS:
        commands.queries.clear()
        await browser.get(path)
        assert commands.queries, path
        for query in commands.queries:
            plan = await _plan(portal, query)
            assert "IXSCAN" in plan, (path, query)
            assert "COLLSCAN" not in plan, (path, query)


async def _plan(portal: Portal, query: dict[str, Any]) -> str:
    """How the store reads a query; of a pipeline, its first stage, which is what finds the documents."""
    name = query.get("find") or query["aggregate"]
    found = query.get("filter") or query["pipeline"][0]["$match"]
    explained = await plainly(portal.services.stores.database.collection(name)).find(found).explain()
    return str(explained["queryPlanner"]["winningPlan"])
