"""Submitting while everything else happens: edits, links, comments, uploads and completions (R56, invariant 4).

Three rounds by default; ``RACE_ROUNDS=100`` is the long form, with 500 completions and 50 edits each.
"""

from __future__ import annotations

import asyncio
import hashlib
import os
import random
from typing import Any

import orjson
import pytest

from tests.support.audit import BEFORE, DECLARATION_BODY, IN_PERIOD, PERIOD, Office, Reply, office
from tests.support.journey import Journey
from tests.support.statements import completed, member

ROUNDS = int(os.environ.get("RACE_ROUNDS", "3"))
EDITS = 50
COMPLETIONS = 500 if ROUNDS > 20 else 100
PER_MESSAGE = 5
MESSAGES = COMPLETIONS // PER_MESSAGE
SPREAD = 1.0
"""Seconds over which everything is spread."""

APART = {"frozen", "frozen_since", "version", "created_at", "updated_at", "finished_at"}
"""What a freeze changes, and times, which the two write in different ways."""


class Race:
    """One member's round: what is there before, what is thrown at it, and what must hold afterwards."""

    def __init__(self, desk: Office, worker: Journey, number: int) -> None:
        self.random = random.Random(number)
        self.name = f"r-{number}"
        self.desk, self.worker = desk, worker
        self.me, self.team = desk.member(self.name), desk.staff()
        self.entries: list[str] = []
        self.items: list[str] = []

    async def prepare(self) -> str:
        """Write a small record and select the member; returns the case."""
        await self.worker.add_member(self.name, member(self.name))
        self.entries = [await self.me.entry(title="0") for _ in range(4)] + [await self.me.entry(BEFORE, title="0")]
        self.items = [await self.me.plan_item(title="0") for _ in range(2)]
        return await self.team.select(self.name)

    async def some_time(self, longest: float = SPREAD) -> None:
        """Wait for some of the round: what is thrown at it comes before, during and after the submission."""
        await asyncio.sleep(self.random.random() * longest)

    async def edit(self, number: int) -> tuple[str, Reply]:
        """Do something to the record, as a browser does that knows of no submission."""
        await self.some_time()
        entry, item = self.random.choice(self.entries), self.random.choice(self.items)
        calls: dict[str, tuple[str, str, Any]] = {
            "entry": ("PATCH", f"/v1/log/{entry}", {"title": f"{number}"}),
            "item": ("PATCH", f"/v1/plan/{item}", {"title": f"{number}"}),
            "move": ("PATCH", f"/v1/log/{entry}", {"date": self.random.choice([IN_PERIOD, BEFORE])}),
            "link": ("PUT", f"/v1/log/{entry}/links/{item}", None),
            "unlink": ("DELETE", f"/v1/log/{entry}/links/{item}", None),
            "comment": ("POST", f"/v1/periods/{PERIOD}/comments", {"text": f"{number}"}),
            "add": ("POST", "/v1/log", {"title": f"{number}", "date": IN_PERIOD}),
            "delete": ("DELETE", f"/v1/log/{entry}", None),
        }
        weights = {"delete": 1, "move": 3}
        action = self.random.choices(list(calls), [weights.get(call, 4) for call in calls])[0]
        return action, await self.insist(*calls[action])

    async def insist(self, method: str, path: str, body: Any = None) -> Reply:
        """Call, and once more for as long as the answer is to try again: everybody wants this record at once."""
        while (reply := await self.me(method, path, body)).problem == "unavailable":
            pass
        return reply

    async def complete(self, message: int) -> set[str]:
        """Let the completions of one message arrive; returns what became of them."""
        numbers = range(message * PER_MESSAGE, (message + 1) * PER_MESSAGE)
        bodies = [completed(self.name, f"course/{self.name}/{number}") for number in numbers]
        [outcomes] = await self.worker.settled(await self.worker.publish([bodies]))
        assert len(outcomes) == PER_MESSAGE
        return {outcome.disposition.value for outcome in outcomes}

    async def complete_at_some_time(self, message: int) -> set[str]:
        """As ``complete``, in the middle of it."""
        await self.some_time()
        return await self.complete(message)

    async def submit(self, case: str) -> Any:
        """Submit in the middle of it."""
        await self.some_time(SPREAD / 2)
        reply = await self.insist("POST", f"/v1/audit/{case}/submission", DECLARATION_BODY)
        assert reply.status == 201, reply.raw
        return reply.body

    async def let_go(self) -> None:
        """Do what the worker's clock does, should the machine have been too busy for the decision to wait for it."""
        await self.worker.services.follow_ups.run(self.name)

    async def frozen_scope(self) -> dict[str, Any]:
        """What the member reads of the scope now."""
        log = await self.pages(f"/v1/log?period={PERIOD}&sort=date&limit=200")
        plan = (await self.me.good("GET", f"/v1/plan?period={PERIOD}"))["items"]
        comments = await self.pages(f"/v1/periods/{PERIOD}/comments?limit=200")
        entries = [await self.me.good("GET", f"/v1/log/{row['id']}") for row in log]
        return {"log": entries, "plan": plan, "comments": comments}

    async def pages(self, path: str) -> list[Any]:
        """All rows of a list."""
        items: list[Any] = []
        cursor = ""
        while cursor is not None:
            page = await self.me.good("GET", path + cursor)
            items += page["items"]
            cursor = page["next"] and f"&cursor={page['next']}"
        return items


def same(record: dict[str, Any], live: dict[str, Any]) -> None:
    """Assert that a snapshot says what the record says, field by field."""
    for kind in ("log", "plan", "comments"):
        rows_by_id = {row["id"]: row for row in live[kind]}
        assert {row["id"] for row in record[kind]} == set(rows_by_id), kind
        for row in record[kind]:
            for name in row.keys() & rows_by_id[row["id"]].keys() - APART:
                assert row[name] == rows_by_id[row["id"]][name], (kind, name)
    links = {(link["log_id"], link["plan_id"]) for link in record["links"]}
    assert links == {(row["id"], item) for row in live["log"] for item in row["plan_ids"]}


@pytest.mark.timeout(60 * max(ROUNDS, 5))
async def test_a_submission_among_edits_and_completions(bridge: Journey) -> None:
    """Invariant 4: the snapshot is the record at one instant, nothing in it changes after, and nothing is lost."""
    async with office(bridge.settings, bridge.services) as desk:
        for number in range(ROUNDS):
            await one_round(Race(desk, bridge, number))


async def one_round(race: Race) -> None:
    """Race once, with a completion before and one after the submission, and look at everything afterwards."""
    case = await race.prepare()
    assert await race.complete(0) == {"recorded"}
    edits = asyncio.gather(*[race.edit(number) for number in range(EDITS)])
    completions = asyncio.gather(*map(race.complete_at_some_time, range(1, MESSAGES - 1)))
    receipt = await race.submit(case)
    assert await race.complete(MESSAGES - 1) == {"held"}
    for action, reply in await edits:
        assert reply.status < 500, (action, reply.raw)
        assert reply.status < 300 or reply.problem in {"record-frozen", "not-found"}, (action, reply.raw)
    assert set().union(*await completions) <= {"recorded", "held"}

    live = await race.frozen_scope()
    reply = await race.team("GET", f"/v1/register/cases/{case}/record")
    assert hashlib.sha256(reply.raw).hexdigest() == receipt["digest"]
    record = orjson.loads(reply.raw)
    same(record, live)
    late = await asyncio.gather(*[race.edit(number) for number in range(EDITS)])
    assert all(reply.status == 409 or action in {"move", "entry", "link", "unlink", "delete"} for action, reply in late)
    assert await race.frozen_scope() == live, "nothing in the scope changes after the submission"

    waiting_count = (await race.me.good("GET", f"/v1/periods/{PERIOD}"))["counts"]["waiting"]
    automatic = sum(row["source"] == "learning_centre" for row in live["log"])
    assert automatic + waiting_count == COMPLETIONS, "each completion is in the record, or waits"
    await race.team.decide(case, "return")
    await race.let_go()
    after = await race.pages(f"/v1/log?period={PERIOD}&limit=200")
    assert sum(row["source"] == "learning_centre" for row in after) == COMPLETIONS, "nothing is lost"
    assert (await race.me.good("GET", f"/v1/periods/{PERIOD}"))["counts"]["waiting"] == 0
