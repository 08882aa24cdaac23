"""What the LRS stores goes the same way into the log as the Learning centre's own: over the exchange, to the worker."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from typing import Any

import orjson
import pytest

from bridge import wiring
from bridge.broker.publisher import publisher
from bridge.domain.members.identifiers import identifier_key
from bridge.domain.privacy.people import NOBODY
from bridge.domain.statements.ledger import LedgerRow
from bridge.serve import relaying
from bridge.services.lrs.relay import microseconds_ago
from bridge.settings import Settings
from tests.integration.lrs.client import Lrs, agent, statement
from tests.support.journey import Journey, journey
from tests.support.statements import completed, member, voided
from tests.support.storage import storage


@pytest.fixture
async def worker(lrs_settings: Settings) -> AsyncGenerator[Journey]:
    """A running worker on the same store."""
    async with journey(lrs_settings) as live_journey:
        await live_journey.add_member("m1", member())
        yield live_journey


async def become(services: wiring.Services, statement_id: str, disposition: str) -> None:
    """Wait until the ledger has this disposition of a statement; it is claimed before all of its work is done."""
    async with asyncio.timeout(20):
        while (await row_of(services, statement_id)).get("disposition") != disposition:
            await asyncio.sleep(0.05)


async def row_of(services: wiring.Services, statement_id: str) -> LedgerRow:
    """The ledger's row of a statement, or an empty one."""
    return (await services.stores.lrs_ledger.rows_of([statement_id])).get(statement_id, LedgerRow(_id=statement_id))


async def drafts(services: wiring.Services, number: int) -> None:
    """Wait until the member's log has so many new drafts."""
    async with asyncio.timeout(20):
        while await storage(services).log_entries.count({"listed": True}) != number:
            await asyncio.sleep(0.05)


async def test_a_completion_over_http_becomes_a_draft(lrs: Lrs, services: wiring.Services, worker: Journey) -> None:
    """A statement accepted by the LRS is published, recorded once, and stays as it was received."""
    completion = completed()
    async with relaying(services):
        await lrs.post(completion)
        await become(services, completion["id"], "recorded")
        await lrs.post(completion)
        await drafts(services, 1)
        assert (await row_of(services, completion["id"])).get("via") == "http"
        async with asyncio.timeout(20):
            while await services.stores.unsent.waiting(microseconds_ago(0), "", 1):
                await asyncio.sleep(0.05)
    assert (await row_of(services, completion["id"])).get("raw") == orjson.dumps(completion)


async def test_the_trace_of_a_call_goes_on_into_the_event(lrs: Lrs, services: wiring.Services, worker: Journey) -> None:
    """A statement over HTTP carries its caller's trace context over the exchange to the event of its draft."""
    completion, trace = completed(), "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
    async with relaying(services):
        answer = await lrs.call("POST", "statements", json=completion, headers={"traceparent": trace})
        assert answer.status == 200
        await drafts(services, 1)
        async with asyncio.timeout(20):
            while not (pending_rows := await services.stores.outbox.pending(10)):
                await asyncio.sleep(0.05)
    assert [event.get("traceparent") for event in pending_rows] == [trace]


async def test_a_batch_travels_as_one_message_under_its_calls_id(
    lrs: Lrs, services: wiring.Services, worker: Journey
) -> None:
    """The statements of a call are an array on the exchange with the call's correlation id, and each is recorded."""
    completions = [completed(activity=f"course/{n}") for n in range(3)]
    tap = await worker.channel.declare_queue(exclusive=True)
    await tap.bind(worker.topology.statements, "#")
    answer = await lrs.call("POST", "statements", json=completions, headers={"X-Correlation-Id": "call-1"})
    assert answer.status == 200
    async with relaying(services):
        await drafts(services, 3)
    message = await tap.get()
    assert ([statement["id"] for statement in orjson.loads(message.body)], message.correlation_id) == (
        [statement["id"] for statement in completions],
        "call-1",
    )
    assert await tap.get(fail=False) is None


async def test_a_statement_without_an_id_is_recorded_under_the_one_it_was_given(
    lrs: Lrs, services: wiring.Services, worker: Journey
) -> None:
    """The worker knows the statement by the id that the LRS assigned, with a time and a version of 2.0."""
    completion = {name: value for name, value in completed().items() if name not in ("id", "timestamp")}
    async with relaying(services):
        (statement_id,) = await lrs.speaking("2.0.0").post(completion)
        await become(services, statement_id, "recorded")


async def test_what_is_voided_before_the_worker_sees_it_is_withdrawn(
    lrs: Lrs, services: wiring.Services, worker: Journey
) -> None:
    """A statement and its voiding, both stored before either is published, leave no draft."""
    completion = completed()
    by = voided(completion["id"])
    await lrs.post(completion)
    await lrs.post(by)
    async with relaying(services):
        await become(services, completion["id"], "withdrawn")
        async with asyncio.timeout(20):
            while "disposition" not in await row_of(services, by["id"]):
                await asyncio.sleep(0.05)
    assert not await storage(services).log_entries.has({"listed": True})


async def test_a_draft_is_withdrawn_by_a_voiding_over_http(
    lrs: Lrs, services: wiring.Services, worker: Journey
) -> None:
    """A voiding that comes when the statement was recorded takes its draft back."""
    completion = completed()
    by = voided(completion["id"])
    async with relaying(services):
        await lrs.post(completion)
        await drafts(services, 1)
        await lrs.post(by)
        await become(services, completion["id"], "withdrawn")


async def test_a_voiding_that_was_voided_before_it_came_voids(
    lrs: Lrs, services: wiring.Services, worker: Journey
) -> None:
    """A voiding cannot be voided (xAPI-Data §2.3.2), whenever it comes: the draft goes, as ``/xapi/`` says."""
    completion = completed()
    by = voided(completion["id"])
    async with relaying(services):
        await lrs.post(completion)
        await drafts(services, 1)
        await lrs.post(second := voided(by["id"]))
        await become(services, second["id"], "withdrawn")
        await lrs.post(by)
        await become(services, completion["id"], "withdrawn")
    assert (await lrs.call("GET", "statements", {"statementId": completion["id"]})).status == 404


async def test_the_queue_and_http_may_bring_the_same_statement(
    lrs: Lrs, services: wiring.Services, worker: Journey
) -> None:
    """What came by the queue first is no conflict over HTTP, becomes visible there, and stays one entry."""
    completion = completed()
    await worker.publish([completion])
    await become(services, completion["id"], "recorded")
    assert await lrs.find() == []
    await lrs.post({**completion, "actor": {**completion["actor"], "name": "Ada"}})
    assert await lrs.find() == [completion["id"]]
    answer = await lrs.get(completion["id"])
    assert (answer["actor"], answer["id"]) == (completion["actor"], completion["id"]), "the text stays as it came first"
    await lrs.post(completion)
    assert (
        await lrs.call("POST", "statements", json={**completion, "verb": {"id": "https://v.example.org/x"}})
    ).status == 409
    await drafts(services, 1)


async def test_the_two_ways_know_a_statement_spelt_otherwise(
    lrs: Lrs, services: wiring.Services, worker: Journey
) -> None:
    """By the queue before or after ``/xapi/``, with its id or without: one statement (xAPI-Data §2.3.1)."""
    completion, second = completed(result={"score": {"scaled": 1}}), completed(activity="course/2")
    respelt = {"timestamp": "2026-05-04T11:00:00.000+01:00", "result": {"score": {"scaled": 1.0}}}
    await worker.send(completion)
    assert await lrs.post({**completion, **respelt, "id": completion["id"].upper()}) == [completion["id"].upper()]
    async with relaying(services):
        await lrs.post(second)
        await become(services, second["id"], "recorded")
    await worker.send({**second, "timestamp": "2026-05-04T11:00:00.000+01:00"})
    anonymous = {name: value for name, value in completed(activity="course/3").items() if name != "id"}
    (outcome,) = await worker.send(anonymous)
    (entry,) = [entry for entry in await worker.log("m1") if entry["_id"] == outcome.entry_id]
    (its_id,) = entry["provenance"]["statement_ids"]
    await lrs.post({**anonymous, "id": its_id})
    assert (await lrs.get(its_id))["id"] == its_id
    assert await worker.dead_letters() == []
    await drafts(services, 3)


async def test_the_same_statement_from_two_requests_at_once_is_recorded(
    lrs: Lrs, services: wiring.Services, worker: Journey
) -> None:
    """Requests that wait together for an earlier write, and bring one statement, store it once and lose it not."""
    crowd = [completed(activity=f"other/{n}") for n in range(16)]
    await asyncio.gather(*[lrs.post(statement) for statement in crowd])  # connections are open now
    completion = completed()
    async with relaying(services):
        await asyncio.gather(*[lrs.post(statement) for statement in (*crowd[:8], *[completion] * 8)])
        await become(services, completion["id"], "recorded")


async def test_a_note_is_there_with_its_statements_or_not_at_all(lrs: Lrs, services: wiring.Services) -> None:
    """What is refused for a conflict leaves no note that somebody would look up in vain."""
    completion, fresh = completed(), completed(activity="course/other")
    await lrs.post(completion)
    second = {**completion, "verb": {"id": "https://v.example.org/x"}}
    assert (await lrs.call("POST", "statements", json=[fresh, second])).status == 409
    notes = await services.stores.unsent.waiting(microseconds_ago(0), "", 10)
    assert [list(note.statement_ids) for note in notes] == [[completion["id"]]]


async def test_a_long_verb_stops_nothing(lrs: Lrs, services: wiring.Services, worker: Journey) -> None:
    """A verb's name that is longer than a routing key may be, in bytes, is cut: its statement goes with the others."""
    completion = completed()
    long = [statement() | {"verb": {"id": f"https://v.example.org/{name}"}} for name in ("x" * 300, "\u00e9" * 200)]
    async with relaying(services):
        ids = await lrs.post([*long, completion])
        await become(services, completion["id"], "recorded")
        async with asyncio.timeout(20):
            while await services.stores.unsent.waiting(microseconds_ago(0), "", 1):
                await asyncio.sleep(0.05)
    assert len(ids) == 3


async def test_a_note_that_fails_by_itself_keeps_no_others_waiting(
    lrs: Lrs, lrs_settings: Settings, services: wiring.Services, worker: Journey
) -> None:
    """Of what is left unsent, a statement that cannot be made a message is passed over, and its note stays."""
    bad, completion = completed(), completed()
    await lrs.post(bad)
    await lrs.post(completion)
    rows = storage(services).statements
    await rows.set({"_id": bad["id"]}, raw=b"{")
    assert services.lrs is not None
    async with publisher(lrs_settings, "test") as out:
        assert await services.lrs.relay.send_stored(out, microseconds_ago(0)) == 1
    await become(services, completion["id"], "recorded")
    (note,) = await services.stores.unsent.waiting(microseconds_ago(0), "", 10)
    assert note.statement_ids == [bad["id"]]


async def test_the_first_second_of_year_1_stops_nothing(lrs: Lrs, services: wiring.Services, worker: Journey) -> None:
    """What Go and .NET write for "no time" is before the year 1 west of Greenwich: a dead letter; the queue goes on."""
    completion = completed(activity="course/9")
    async with relaying(services):
        await lrs.post(completed(timestamp="0001-01-01T00:00:00Z"))
        await lrs.post(completion)
        await become(services, completion["id"], "recorded")


async def test_what_another_process_left_unsent_is_sent(
    lrs: Lrs, lrs_settings: Settings, services: wiring.Services, worker: Journey
) -> None:
    """Statements that a process stored and did not bring to the broker are read from the store and sent, once each."""
    completions = [completed(activity=f"course/{n}") for n in range(3)]
    await lrs.post(completions)
    async with wiring.services(lrs_settings) as second, publisher(lrs_settings, "test") as out:
        assert second.lrs is not None
        counts = [await second.lrs.relay.send_stored(out, microseconds_ago(0)) for _ in range(2)]
    assert counts == [3, 0]
    for completion in completions:
        await become(services, completion["id"], "recorded")
    await drafts(services, 3)


async def test_what_an_erasure_redacts_before_it_is_sent_is_recorded(
    lrs: Lrs, lrs_settings: Settings, services: wiring.Services, worker: Journey
) -> None:
    """A completion that names two who are erased while it waits gets into the log, and is known in every telling."""
    completion = completed(context={"instructor": agent("ada"), "team": group("bob")})
    await lrs.post(completion)
    assert services.lrs is not None
    messages = [completion]
    for name in ("ada", "bob"):
        await services.stores.removal.statements(
            await services.stores.subjects.of_identifiers([identifier_key(agent(name))])
        )
        messages.append(orjson.loads((await row_of(services, completion["id"])).get("raw", b"")))
    async with publisher(lrs_settings, "test") as out:
        await services.lrs.relay.send_stored(out, microseconds_ago(0))
    await become(services, completion["id"], "recorded")
    for message in messages:
        assert [outcome.disposition for outcome in await worker.send(message)] == ["duplicate"]
        await lrs.post(message)
    assert orjson.loads((await row_of(services, completion["id"])).get("raw", b"")) == messages[-1]


async def test_what_was_redacted_stays_so_when_it_is_told_again(
    lrs: Lrs, services: wiring.Services, worker: Journey
) -> None:
    """A statement of the queue that named an erased person is taken into the LRS without them."""
    completion = completed(context={"instructor": agent("ada")})
    await worker.send(completion)
    await services.stores.removal.statements(
        await services.stores.subjects.of_identifiers([identifier_key(agent("ada"))])
    )
    await lrs.post(completion)
    assert (await lrs.get(completion["id"]))["context"]["instructor"] == NOBODY
    assert await lrs.find(agent=orjson.dumps(agent("ada")).decode(), related_agents="true") == []


def group(member: str) -> dict[str, Any]:
    """A Group that has one member, and no identifier."""
    return {"objectType": "Group", "member": [agent(member)]}
