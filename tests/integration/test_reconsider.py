"""Ignored statements judged again: what counts by today's settings is drafted once, whatever stops it on the way."""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncGenerator
from contextlib import aclosing, asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import orjson
import pytest

from bridge import wiring
from bridge.domain.members.messages import MemberIn
from bridge.domain.statements.ledger import arrival
from bridge.domain.statements.reconsideration import Reconsideration
from bridge.settings import Settings
from bridge.store import FateQuery, Place
from bridge.store.statements.search import PIECE
from tests.support.calls import calls
from tests.support.statements import HOME, completed, member, voided
from tests.support.storage import storage

NUMBER = 5 * PIECE + 50

RECEIVED = datetime(2026, 5, 5, 8, tzinfo=UTC)
PATH = "/v1/ops/statements/reconsider"


@asynccontextmanager
async def serving(settings: Settings, prefix: str) -> AsyncGenerator[wiring.Services]:
    """The services of a deployment whose catalogue has this prefix."""
    async with wiring.services(settings.model_copy(update={"catalogue_prefixes": (prefix,)})) as services:
        await services.stores.prepare()
        yield services


async def record(services: wiring.Services, *statements: dict[str, Any]) -> Counter[str]:
    """Record statements as the worker does; returns how many ended how."""
    arrivals = [
        arrival(statement, orjson.dumps(statement), RECEIVED + timedelta(seconds=number), services.recording.rules)
        for number, statement in enumerate(statements)
    ]
    outcomes = [
        outcome
        for start in range(0, len(arrivals), 100)
        for outcome in await services.recording.record(arrivals[start : start + 100])
    ]
    return Counter(outcome.disposition.value for outcome in outcomes)


@pytest.fixture
async def backlog(settings: Settings) -> list[dict[str, Any]]:
    """Statements that a wrong prefix had the worker ignore, of two members."""
    statements = [completed(str(1000 + number % 2), f"course/{number}") for number in range(NUMBER)]
    async with serving(settings, "https://wrong.example.org/") as services:
        for number in range(2):
            body = MemberIn.model_validate(member(str(1000 + number)))
            await services.members.put(f"m-{number}", body)
        assert await record(services, *statements) == {"ignored": len(statements)}
    return statements


async def reconsider(
    services: wiring.Services, query: FateQuery | None = None, *, dry_run: bool = False
) -> Reconsideration:
    """The report of a run to its end."""
    report = Reconsideration()
    async for _ in services.reconsiderer.run(query or FateQuery(), report, dry_run=dry_run):
        pass
    return report


async def drafted(services: wiring.Services) -> list[str]:
    """The statements that made an entry, one for each entry, sorted; each was announced by one event."""
    rows = storage(services)
    ids = [entry["provenance"]["statement_ids"][0] for entry in await rows.log_entries.all()]
    events = [event["data"]["statement_id"] for event in await rows.outbox.all({"type": "log.drafted"})]
    assert sorted(events) == sorted(ids)
    return sorted(ids)


async def test_a_mended_prefix_brings_them_back(settings: Settings, backlog: list[dict[str, Any]]) -> None:
    """A dry run counts and writes nothing; then each becomes a draft once, told as of now; again there is nothing."""
    async with serving(settings, HOME) as services:
        report = await reconsider(services, dry_run=True)
        assert (report.total.statements, report.total.counting, report.outcomes) == (NUMBER, NUMBER, {})
        assert report.by_reason["not_catalogue"] == report.by_prefix[f"{HOME}/course/"] == report.total
        assert await drafted(services) == []
        start = datetime.now(UTC).replace(microsecond=0)
        assert (await reconsider(services)).outcomes == {"recorded": NUMBER}
        assert await drafted(services) == sorted(statement["id"] for statement in backlog)
        entry = await storage(services).log_entries.first()
        event = await storage(services).outbox.first({"type": "log.drafted"})
        assert entry["created_at"] >= start > entry["provenance"]["received_at"] >= RECEIVED
        assert event["at"] >= start
        assert (await reconsider(services)).total.statements == 0


async def test_each_ends_as_if_it_had_come_now(settings: Settings) -> None:
    """A stranger's is parked, a voided one withdrawn, a repeat merged; what has no text any more cannot be judged."""
    stranger, completion, repeat, blank, foreign = (
        *(completed("9"), completed(), completed(), completed(activity="course/2")),
        completed(object={"id": "https://other.example.org/a"}),
    )
    taken_back = completed(activity="course/3")
    async with serving(settings, "https://wrong.example.org/") as services:
        await services.members.put("m-1", MemberIn.model_validate(member()))
        await record(services, stranger, completion, repeat, blank, taken_back, foreign)
        await record(services, voided(taken_back["id"]))
        await storage(services).statements.set({"_id": blank["id"]}, raw=b"")
    async with serving(settings, HOME) as services:
        report = await reconsider(services)
        assert report.outcomes == {"parked": 1, "recorded": 1, "merged": 1, "withdrawn": 1}
        assert (report.without_text, report.total.statements, report.failed) == (1, 5, 0)
        assert await drafted(services) == [completion["id"]]
        rows = storage(services).statements
        assert [(await rows.get(statement["id"]))["disposition"] for statement in (blank, foreign)] == ["ignored"] * 2
        await services.members.put("m-9", MemberIn.model_validate(member("9")))
        assert await drafted(services) == sorted([completion["id"], stranger["id"]])


async def test_it_goes_on_from_a_place(settings: Settings, backlog: list[dict[str, Any]]) -> None:
    """A run that is broken off leaves whole pieces, and one from its place judges the rest and no other."""
    async with serving(settings, HOME) as services:
        report = Reconsideration()
        place: Place | None = None
        pieces = services.reconsiderer.run(FateQuery(), report, dry_run=True)
        async with aclosing(pieces):
            place = await anext(pieces)
        assert report.total.statements == PIECE
        async for _ in services.reconsiderer.run(FateQuery(), report, dry_run=True, after=place):
            pass
        assert report.total.statements == len(backlog)


async def test_operations_call_it(settings: Settings, backlog: list[dict[str, Any]]) -> None:
    """The call chooses by reason and time, counts first, and refuses a place that is none; others may not."""
    async with serving(settings, HOME) as services, calls(settings, services) as ops:
        days = {"reason": "not_catalogue", "from": "2026-05-05", "to": "2026-05-05"}
        status, counts = await ops("POST", PATH, {**days, "dry_run": True})
        assert (status, counts["total"]) == (200, {"statements": NUMBER, "counting": NUMBER})
        assert counts["by_prefix"] == [{"prefix": f"{HOME}/course/", "statements": NUMBER, "counting": NUMBER}]
        assert (await ops("POST", PATH, {**days, "from": "2026-05-06", "to": "2026-05-06"}))[1]["total"][
            "statements"
        ] == 0
        after = f"not_catalogue/{(RECEIVED + timedelta(seconds=NUMBER - 51)).isoformat()}/~"
        _, rest = await ops("POST", PATH, {**days, "after": after})
        assert (rest["outcomes"], rest["next"]) == ({"recorded": 50}, None)
        assert (await ops("POST", PATH, {}))[1]["outcomes"] == {"recorded": NUMBER - 50}
        assert (await ops("POST", PATH, {"after": "nowhere"}))[0] == 422
        assert (await ops("POST", PATH, {"reason": "erased"}))[0] == 422
        assert (await ops.by("learning-centre", "platform")("POST", PATH, {}))[0] == 403
        assert len(await drafted(services)) == len(backlog)


async def test_pieces_are_small_however_large_statements_are(settings: Settings) -> None:
    """Statements of megabytes come one or two at a time, so that memory stays bounded."""
    large = [completed(result={"response": "x" * 3 * 2**20}) for _ in range(3)]
    async with serving(settings, "https://wrong.example.org/") as services:
        await record(services, *large)
        query = FateQuery(disposition="ignored", reason="not_catalogue")
        assert [len(rows) async for rows in services.stores.search.texts(query, None)] == [1, 1, 1]
