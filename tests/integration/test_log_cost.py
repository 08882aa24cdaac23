"""What calls of the portal cost a member with a long log: how much the store looks at for them."""

from __future__ import annotations

from collections.abc import Generator
from datetime import UTC, datetime
from typing import Any, cast

import orjson
import pytest
from pymongo import monitoring

from bridge.domain.statements.ledger import arrival
from deploy.dev.service import External
from deploy.dev.services import DevServices
from tests.support.costs import CALLS, LongLog, fill
from tests.support.portal import Portal, full_entry, full_item
from tests.support.statements import completed
from tests.support.storage import storage

YEARS, OF_A_YEAR, PAGE = 10, 60, 50  # a year has more than a page

COUNTED_COLLECTIONS = {"log_entries", "plan_items", "members", "identifiers", "held", "evidence.files", "outbox"}
"""Collections that may hold much of one member."""


class Commands(monitoring.CommandListener):
    """Keeps the queries and changes that are sent of a member's record."""

    def __init__(self) -> None:
        self.queries: list[dict[str, Any]] = []

    def started(self, event: monitoring.CommandStartedEvent) -> None:
        """Keep what is sent."""
        command = dict(event.command)
        if (
            event.command_name in {"find", "aggregate", "update", "delete"}
            and command[event.command_name] in COUNTED_COLLECTIONS
        ):
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


async def looked_at(portal: Portal, query: dict[str, Any], *, is_mongodb: bool) -> int:
    """How many keys and documents the store looks at for a query, or to find what a change changes.

    MongoDB says it. The embedded store does not know of a limit, nor that it looks up by id or by a merge key; so there
    it is the number of documents that the query's first part finds.
    """
    keys_examined = 0
    for stage in _queries(query):
        stats = _stats(await storage(portal.services).command("explain", stage, verbosity="executionStats"))
        assert stats is not None, stage
        keys_examined += (
            max(stats["totalKeysExamined"], stats["totalDocsExamined"]) if is_mongodb else stats["nReturned"]
        )
    return keys_examined


def _queries(command: dict[str, Any]) -> list[dict[str, Any]]:
    """The queries in a command that can be explained; a change as the query that finds what it changes."""
    clauses = ("find", "aggregate", "filter", "pipeline", "cursor", "hint", "sort", "limit")
    if changes := command.get("updates") or command.get("deletes"):
        name = command.get("update") or command.get("delete")
        return [{"find": name, "filter": change["q"]} for change in changes]
    return [{name: command[name] for name in clauses if name in command}]


def _stats(explanation: Any) -> dict[str, Any] | None:
    """The first ``executionStats`` of an answer: of a pipeline it is further in."""
    if isinstance(explanation, dict):
        plan_node = cast("dict[str, Any]", explanation)
        return plan_node.get("executionStats") or next(filter(None, map(_stats, plan_node.values())), None)
    return (
        next(filter(None, map(_stats, cast("list[Any]", explanation))), None) if isinstance(explanation, list) else None
    )


@pytest.fixture
async def long_log(portal: Portal) -> LongLog:
    """A member with ten years of entries, beside another with one."""
    await fill(portal, "m-2", OF_A_YEAR)
    return await fill(portal, "m-1", YEARS * OF_A_YEAR, YEARS)


async def test_calls_look_at_a_page_or_a_year(
    commands: Commands, portal: Portal, long_log: LongLog, dev_services: DevServices
) -> None:
    """A page of the log, the overview, a save and a completion cost a member with ten years of entries no more."""
    is_mongodb = isinstance(dev_services.mongo, External)
    key_counts: dict[str, list[int]] = {}
    for name, call in CALLS.items():
        commands.queries.clear()
        assert (await call(long_log)).status == 200
        key_counts[name] = [await looked_at(portal, query, is_mongodb=is_mongodb) for query in list(commands.queries)]
    commands.queries.clear()
    for _ in range(2):
        await _complete(portal)
    key_counts["a completion"] = [
        await looked_at(portal, query, is_mongodb=is_mongodb) for query in list(commands.queries)
    ]
    rows, total = (n for n in key_counts.pop("a page of all years") if n > 1)
    assert rows <= PAGE + 1 or not is_mongodb, rows
    assert total <= YEARS * OF_A_YEAR, "only the number of all entries takes all of them, once"
    assert {name: max(counts) for name, counts in key_counts.items()} == {
        "a page of the log": OF_A_YEAR,
        "the overview": OF_A_YEAR,
        "a save": 1,
        "a completion": 1,
    }, key_counts


async def _complete(portal: Portal) -> None:
    """Record a completion of the same activity and day, so that the second joins what the first made."""
    recording, statement = portal.services.recording, completed("account-m-1")
    await recording.record([arrival(statement, orjson.dumps(statement), datetime.now(UTC), recording.rules)])


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


async def test_every_list_is_read_by_an_index(commands: Commands, portal: Portal, dev_services: DevServices) -> None:
    """R20-R22: no query of a list, whatever its filters and order, reads the whole collection.

    Keywords are for MongoDB alone: the embedded store looks no regular expression up in an index.
    """
    browser = await portal.member()
    for day in ("2026-05-04", "2025-05-04", None):
        await browser.post("/v1/log", full_entry(date=day))
    await browser.post("/v1/plan", full_item())
    for path in LISTS:
        commands.queries.clear()
        await browser.get(path)
        queries = [query for query in commands.queries if query.get("aggregate") in {"log_entries", "plan_items"}]
        assert queries, path
        for query in queries:
            plan = await _plan(portal, query)
            if isinstance(dev_services.mongo, External) or "$regex" not in str(query):
                assert "IXSCAN" in plan, (path, query)
                assert "COLLSCAN" not in plan, (path, query)


async def _plan(portal: Portal, query: dict[str, Any]) -> str:
    """How the store reads what the first stage of a pipeline finds."""
    match = {"find": query["aggregate"], "filter": query["pipeline"][0]["$match"]}
    explanation = await storage(portal.services).command("explain", match)
    return str(explanation["queryPlanner"]["winningPlan"])
