"""Events out: at least once, in order per member, by one relay at a time, and never in the way of the API."""

from __future__ import annotations

import asyncio
import random
from collections import defaultdict
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import orjson
import pytest
from aio_pika.abc import AbstractIncomingMessage
from jsonschema import Draft7Validator, Draft202012Validator

from bridge import wiring
from bridge.api.asyncapi import describe
from bridge.domain.events import EVENT_MEDIA_TYPE, EventType, OutboxEvent, event
from bridge.domain.members.messages import MemberUpserted
from bridge.domain.statements.ledger import arrival
from bridge.settings import Settings
from bridge.store import Outbox
from consumers.events import EventPublisher
from schemas.messages import EVENT
from tests.support.calls import calls
from tests.support.journey import Journey
from tests.support.proxy import proxy
from tests.support.statements import completed, member
from tests.support.storage import storage

NUMBER_EVENT = EventType("log.completed", "An event whose place in the order shows.", dict[str, int], {"number": 1})


class Listener:
    """A consumer of the events: everything that came, in order."""

    def __init__(self) -> None:
        self.messages: list[AbstractIncomingMessage] = []
        self._arrival = asyncio.Condition()

    async def take(self, message: AbstractIncomingMessage) -> None:
        """Take one."""
        async with self._arrival:
            self.messages.append(message)
            self._arrival.notify_all()

    async def until(
        self, condition: Callable[[list[dict[str, Any]]], bool], within: float = 60
    ) -> list[dict[str, Any]]:
        """Wait until what came is enough; returns the events."""
        async with asyncio.timeout(within), self._arrival:
            await self._arrival.wait_for(lambda: condition(self.events()))
        return self.events()

    def events(self) -> list[dict[str, Any]]:
        """The events that came."""
        return [orjson.loads(message.body) for message in self.messages]


@pytest.fixture
async def listener(bridge: Journey) -> Listener:
    """A listener to every event."""
    event_listener = Listener()
    queue = await bridge.channel.declare_queue(exclusive=True)
    await queue.bind(bridge.topology.events, "#")
    await queue.consume(event_listener.take, no_ack=True)
    return event_listener


@asynccontextmanager
async def relaying(settings: Settings, outbox: Outbox) -> AsyncGenerator[EventPublisher]:
    """Run a relay meanwhile."""
    relay = EventPublisher(settings, wiring.topology(settings), outbox)
    task = asyncio.create_task(relay.run())
    try:
        yield relay
    finally:
        relay.stop()
        await task


def row(member_id: str, number: int) -> OutboxEvent:
    """The member's event of this number."""
    return event(
        NUMBER_EVENT, f"{member_id}:{number:04}", member_id, (number, 1), datetime.now(UTC), {"number": number}
    )


async def add(bridge: Journey, rows: list[OutboxEvent]) -> None:
    """Write events, as an act does."""
    stores = bridge.services.stores
    await stores.database.transaction(lambda session: stores.outbox.add(rows, session))


def in_order(events: list[dict[str, Any]]) -> bool:
    """Whether each member's events came in order: a repeat may come, but no event before its forerunner."""
    newest: defaultdict[str, int] = defaultdict(lambda: -1)
    for row in events:
        number = row["data"]["number"]
        if number > newest[row["subject"]] + 1:
            return False
        newest[row["subject"]] = max(newest[row["subject"]], number)
    return True


def distinct(events: list[dict[str, Any]]) -> int:
    """How many different events there are."""
    return len({row["id"] for row in events})


async def test_a_recorded_completion_is_told(bridge: Journey, listener: Listener) -> None:
    """A draft is announced as a CloudEvent that fits the schema, once, with its type as routing key."""
    await bridge.add_member("m-1", member())
    outbox = bridge.services.stores.outbox
    async with relaying(bridge.settings, outbox):
        statement = completed()
        await bridge.send(statement, statement)
        (event,) = await listener.until(bool)
        async with asyncio.timeout(30):
            while (await outbox.lag()).count:
                await asyncio.sleep(0.02)
        await bridge.send(statement)
    Draft202012Validator(EVENT).validate(event)  # pyright: ignore[reportUnknownMemberType] - its stub leaves a type open
    (message,) = listener.messages
    assert (message.routing_key, message.content_type, message.message_id) == (
        "log.drafted",
        EVENT_MEDIA_TYPE,
        event["id"],
    )
    assert (event["subject"], event["data"]["statement_id"]) == ("m-1", statement["id"])


async def test_a_members_own_count_orders_events_not_clocks(bridge: Journey, listener: Listener) -> None:
    """Two machines with clocks a second apart: what a member's document counted first is published first."""
    slow, fast = datetime.now(UTC), datetime.now(UTC) + timedelta(seconds=1)
    rows = [row(f"m-{number % 3}", number // 3) for number in range(90)]
    for number, stored in enumerate(rows):
        stored["at"] = fast if number // 3 % 2 else slow
    await add(bridge, [rows[number] for number in random.sample(range(90), 90)])
    outbox = bridge.services.stores.outbox
    assert (await outbox.lag()).count == 90
    async with relaying(bridge.settings, outbox):
        events = await listener.until(lambda events: distinct(events) == len(rows))
        async with asyncio.timeout(30):
            while (await outbox.lag()).count:
                await asyncio.sleep(0.02)
    assert in_order(events)
    assert await storage(bridge.services).outbox.count() == 0


async def test_a_batch_that_was_cut_off_is_told_once(bridge: Journey, listener: Listener) -> None:
    """A batch that ended before its commit left nothing; the redelivery writes the draft and its event, once."""
    await bridge.add_member("m-1", member())
    statement = orjson.dumps(completed())
    services, outbox = bridge.services, bridge.services.stores.outbox
    first = arrival(orjson.loads(statement), statement, datetime.now(UTC), services.recording.rules)
    add_events = outbox.add

    async def fail(*_: object) -> None:
        raise RuntimeError

    object.__setattr__(outbox, "add", fail)
    with pytest.raises(RuntimeError):
        await services.recording.record([first])
    object.__setattr__(outbox, "add", add_events)
    assert await bridge.log("m-1") == []
    for disposition in ("recorded", "duplicate"):
        (outcome,) = await services.recording.record([first])
        assert outcome.disposition == disposition
    assert [row["type"] for row in await outbox.pending(9)] == ["log.drafted"]


async def test_two_relays_keep_the_order_per_member(bridge: Journey, listener: Listener) -> None:
    """With relays that come and go, every event arrives, each member's in order."""
    outbox = bridge.services.stores.outbox
    rows = [row(f"m-{number % 7}", number // 7) for number in range(700)]
    async with relaying(bridge.settings, outbox), relaying(bridge.settings, outbox):
        for start in range(0, len(rows), 50):
            await add(bridge, rows[start : start + 50])
            async with relaying(bridge.settings, outbox):
                await asyncio.sleep(random.uniform(0, 0.05))
        events = await listener.until(lambda events: distinct(events) == len(rows))
    assert in_order(events)
    assert (await outbox.lag()).count == 0


async def test_the_second_relay_follows_when_the_first_is_gone(bridge: Journey, listener: Listener) -> None:
    """One relay publishes at a time; when its connection ends, another takes over and nothing is left out."""
    outbox = bridge.services.stores.outbox
    async with relaying(bridge.settings, outbox):
        await add(bridge, [row("m-1", 0)])
        await listener.until(lambda events: len(events) == 1)
        second = relaying(bridge.settings, outbox)
        await second.__aenter__()
    await add(bridge, [row("m-1", 1)])
    events = await listener.until(lambda events: len(events) == 2)
    await second.__aexit__(None, None, None)
    assert [event["data"]["number"] for event in events] == [0, 1]


class Forgetful:
    """An outbox whose note of delivery gets lost now and then: the process ends between the confirm and the note."""

    def __init__(self, inner: Outbox) -> None:
        self.pending = inner.pending
        self.lag = inner.lag
        self._confirm: Callable[[Any], Awaitable[None]] = inner.delivered
        self._faults = [True, False, True, True]

    async def delivered(self, rows: Any) -> None:
        """Fail as told."""
        if self._faults and self._faults.pop():
            raise RuntimeError
        await self._confirm(rows)


async def test_an_event_comes_again_rather_than_never(bridge: Journey, listener: Listener) -> None:
    """Cut off between publishing and noting it, the relay publishes again, in order."""
    outbox = bridge.services.stores.outbox
    await add(bridge, [row("m-1", number) for number in range(30)])
    forgetful: Any = Forgetful(outbox)
    async with relaying(bridge.settings, forgetful):
        events = await listener.until(lambda events: len(events) > 60)
        async with asyncio.timeout(30):
            while (await outbox.lag()).count:
                await asyncio.sleep(0.05)
    assert distinct(events) == 30
    assert in_order(events)


async def test_a_cut_connection_loses_and_disorders_nothing(bridge: Journey, listener: Listener) -> None:
    """With its connection cut again and again, the relay starts over and every event arrives in order."""
    outbox = bridge.services.stores.outbox
    url = bridge.settings.amqp_url.get_secret_value()
    port = int(url.rsplit(":", 1)[1].strip("/"))
    rows = [row(f"m-{number % 5}", number // 5) for number in range(300)]
    async with proxy("127.0.0.1", port) as between:
        through = type(bridge.settings.amqp_url)(url.replace(f":{port}", f":{between.port}"))
        async with relaying(bridge.settings.model_copy(update={"amqp_url": through}), outbox):
            for start in range(0, len(rows), 60):
                await add(bridge, rows[start : start + 60])
                target = start + 20
                await listener.until(lambda events, target=target: distinct(events) >= target)
                between.cut()
            events = await listener.until(lambda events: distinct(events) == len(rows))
    assert in_order(events)


async def test_the_api_writes_while_the_broker_is_absent(settings: Settings) -> None:
    """Without a broker the API creates and changes as ever, and the events wait, counted with their age."""
    nowhere = settings.model_copy(update={"amqp_url": type(settings.amqp_url)("amqp://guest:guest@127.0.0.1:9/")})
    async with wiring.services(nowhere) as services, calls(nowhere, services, "crm", "platform") as call:
        await services.stores.prepare()
        async with relaying(nowhere, services.stores.outbox):
            assert (await call("PUT", "/v1/members/m-1", member()))[0] == 201
            await services.stores.database.transaction(lambda s: services.stores.outbox.add([row("m-1", 0)], s))
            assert (await call("PUT", "/v1/members/m-1", member(registered=False)))[0] == 200
        lag = await services.stores.outbox.lag()
    assert (lag.count, 0 <= lag.age < 60) == (1, True)


async def test_what_the_asyncapi_document_says_goes_over_the_broker(bridge: Journey, listener: Listener) -> None:
    """Its examples of statements are taken as they stand; the events and the dead letter that follow fit it."""
    components = describe(bridge.topology)["components"]
    messages = components["messages"]
    (member_example,) = messages["member.upserted"]["examples"]
    await bridge.services.members.apply(MemberUpserted.model_validate(member_example["payload"]))
    async with relaying(bridge.settings, bridge.services.stores.outbox):
        for name, outcomes in (
            ("statement", ["recorded"]),
            ("voiding", ["withdrawn"]),
            ("statements", 2 * ["duplicate"]),
        ):
            (example,) = messages[name]["examples"]
            (results,) = await bridge.settled(await bridge.publish([example["payload"]], key=example["name"]))
            assert [outcome.disposition for outcome in results] == outcomes
        events = await listener.until(lambda events: len(events) >= 2)
    assert [announcement["type"] for announcement in events] == ["log.drafted", "log.withdrawn"]
    for announcement in events:
        message = messages[announcement["type"]]
        validate({**message["payload"], "components": components}, announcement)
        assert announcement["data"].keys() == message["examples"][0]["payload"]["data"].keys()
    (example,) = messages["deadLetter"]["examples"]
    await bridge.settled(await bridge.publish([example["payload"]]))
    (letter,) = await bridge.dead_letters()
    validate(messages["deadLetter"]["headers"], dict(letter.headers))
    assert orjson.loads(letter.body) == example["payload"]
    for name in ("x-reason", "x-detail"):
        assert letter.headers[name] == example["headers"][name]


def validate(schema: dict[str, Any], instance: Any) -> None:
    """Raise for what does not fit."""
    Draft7Validator(schema).validate(instance)  # pyright: ignore[reportUnknownMemberType] - its stub leaves a type open
