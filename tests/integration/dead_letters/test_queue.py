"""Dead letters: listed without touching them, replayed and discarded, whatever interrupts."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import Any

import aio_pika
import orjson
import pytest
from aio_pika.abc import AbstractIncomingMessage

from bridge.broker import dead_letter_queue as dead_queue
from bridge.broker.connection import connection
from bridge.broker.dead_letter_queue import AT_ONCE, DeadLetterQueue, LetterAction
from bridge.domain.operations.letters import DeadLetterFilter, QueuedDeadLetter
from bridge.domain.privacy.access import Reader
from bridge.errors import Unavailable
from bridge.services.operations.dead_letters import Operations
from bridge.settings import Settings
from tests.integration.dead_letters.letters import ANY_LETTER, NEWEST, bad, ids
from tests.support.journey import Journey, journey, publish_raw
from tests.support.statements import activity_of, completed, member
from tests.support.storage import storage


async def test_looking_at_letters_leaves_the_queue_as_it_is(bridge: Journey, ops: Operations) -> None:
    """Listing and showing, however often, takes nothing from the queue and spends no delivery."""
    bodies = await bad(bridge, 3)
    for _ in range(25):
        page = await ops.list(ANY_LETTER, NEWEST, 50, None)
        await ops.show(page.items[0]["_id"])
    letters = await bridge.dead_letters()
    assert [letter.body for letter in letters] == bodies
    assert not any(letter.headers.get("x-delivery-count") for letter in letters)


@pytest.mark.new_database
async def test_a_replay_puts_the_message_back_as_it_was(bridge: Journey, ops: Operations) -> None:
    """A replayed letter has body, routing key, encoding and correlation id as before, and is recorded when possible."""
    await bridge.add_member("m-1", member())
    statement = completed()
    await bridge.send(statement)
    conflict = orjson.dumps({**statement, "object": activity_of("course/2")})
    (key,) = await bridge.publish([conflict], content_encoding="identity")
    await bridge.settled([key])
    tap = await bridge.channel.declare_queue(exclusive=True)
    await tap.bind(bridge.topology.statements, "#")
    await storage(bridge.services).drop("statements", "log_entries", "outbox")
    del bridge.outcomes[key]
    result = await ops.replay(DeadLetterFilter(reason="conflict"))
    ((outcome,),) = await bridge.settled([key])
    again = await tap.get()
    assert (result.replayed, result.refused, outcome.disposition.value) == (1, [], "recorded")
    assert (again.body, again.routing_key, again.correlation_id) == (conflict, "statement.completed", key)
    assert (again.content_encoding, set(again.headers)) == ("identity", {"timestamp_in_ms"})
    assert await ids(ops) == await bridge.dead_letters() == []


async def test_a_letter_that_fails_again_is_a_new_letter(bridge: Journey, ops: Operations) -> None:
    """A replay of what is still bad brings it back under another id; the first is gone."""
    (body,) = await bad(bridge)
    (first,) = await ids(ops)
    key = next(iter(bridge.outcomes))
    bridge.outcomes.clear()
    await ops.replay(DeadLetterFilter(ids=(first,)))
    await bridge.settled([key])
    (second,) = await ids(ops)
    assert second != first
    assert [letter.body for letter in await bridge.dead_letters()] == [body]


async def test_a_discard_removes_the_chosen_and_keeps_the_others(bridge: Journey, ops: Operations) -> None:
    """One letter is removed from the end, the middle or the beginning of the queue; the others stay, byte for byte."""
    bodies = await bad(bridge, 120)
    letter_ids: dict[bytes, str] = {}
    for letter_id in await ids(ops):
        page = await ops.show(letter_id, reveal_to=Reader("test", ("ops",), "test", "test"))
        letter_ids[orjson.dumps(page["body"])] = letter_id
    for index in (119, 60, 0):
        assert (await ops.discard(DeadLetterFilter(ids=(letter_ids[bodies.pop(index)],)))).discarded == 1
        assert len(await ids(ops)) == len(bodies)
    assert sorted(letter.body for letter in await bridge.dead_letters()) == sorted(bodies)


async def test_letters_are_renewed_before_their_deliveries_are_spent(bridge: Journey, ops: Operations) -> None:
    """However many passes a letter sees, it is never delivered 20 times, after which RabbitMQ 4 would drop it."""
    bodies = await bad(bridge, 3)

    async def keep(_letter: QueuedDeadLetter) -> LetterAction:
        return LetterAction.KEEP

    queue = DeadLetterQueue(bridge.settings, bridge.topology)
    before = await ids(ops)
    for _ in range(dead_queue.RENEW_AT + 2):
        await queue.scan(keep)
    assert await ids(ops) == before
    letters = await bridge.dead_letters()
    assert [letter.body for letter in letters] == bodies
    assert all(int(str(letter.headers.get("x-delivery-count", 0))) < dead_queue.RENEW_AT for letter in letters)


@pytest.mark.new_database
async def test_the_mirror_follows_what_others_do_to_the_queue(bridge: Journey, ops: Operations) -> None:
    """Letters taken by plain AMQP disappear from the list; letters the mirror does not know appear in it."""
    bodies = await bad(bridge, 3)
    assert len(await ids(ops)) == 3
    queue = await bridge.channel.get_queue(bridge.topology.dead_queue)
    message = await queue.get(no_ack=True)
    assert len(await ids(ops)) == 2
    await storage(bridge.services).drop("dead_letters")
    assert len(await ids(ops)) == 2
    assert [message.body, *[letter.body for letter in await bridge.dead_letters()]] == bodies


async def test_the_same_letter_twice_is_listed_once(bridge: Journey, ops: Operations) -> None:
    """Two equal statements in one array are two messages and one letter; both go with it."""
    body = b'{"verb":7}'
    await bridge.settled(await bridge.publish([b"[" + body + b"," + body + b"]"]))
    (letter_id,) = await ids(ops)
    assert (await ops.discard(DeadLetterFilter(ids=(letter_id,)))).discarded == 2
    assert await bridge.dead_letters() == []


async def test_what_rabbitmq_itself_put_aside_is_exhausted(bridge: Journey, ops: Operations) -> None:
    """A message dead-lettered by the broker is shown as exhausted, and its replay has its own properties again."""
    await bridge.add_member("m-1", member())
    aside = await bridge.channel.declare_queue(
        exclusive=True, arguments={"x-dead-letter-exchange": bridge.topology.dead_letters}
    )
    await aside.bind(bridge.topology.statements, "statement.completed")
    statement = completed()
    (key,) = await bridge.publish([statement], headers={"traceparent": "00-1-2-3"}, message_id="their-own")
    await bridge.settled([key])
    await (await aside.get()).reject(requeue=False)
    await aside.unbind(bridge.topology.statements, "statement.completed")
    tap = await bridge.channel.declare_queue(exclusive=True)
    await tap.bind(bridge.topology.statements, "#")
    async with asyncio.timeout(30):
        while not (letters := (await ops.list(ANY_LETTER, NEWEST, 50, None)).items):
            await asyncio.sleep(0.05)  # the broker moves it after the answer to the rejection, and tells nobody
    (letter,) = letters
    assert (letter["reason"], letter["routing_key"]) == ("exhausted", "statement.completed")
    assert letter["exchange"] == bridge.topology.statements
    assert (await ops.replay(DeadLetterFilter(ids=(letter["_id"],)))).replayed == 1
    again = await tap.get()
    assert (again.body, again.message_id) == (orjson.dumps(statement), "their-own")
    expected = {"traceparent": "00-1-2-3", "timestamp_in_ms": 0}
    assert {**again.headers, "timestamp_in_ms": 0} == expected


async def test_a_replay_of_what_failed_is_recorded_and_told(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What failed until it was exhausted left nothing in the log; replayed when it works again, it is all there."""
    async with journey(settings) as first:
        await first.add_member("m-1", member())
        monkeypatch.setattr(first.services.stores.outbox, "add", _fail)
        (outcome,) = await first.send(completed())
        assert outcome.reason == "exhausted"
        assert await first.log("m-1") == []
    async with journey(settings) as second:
        assert (await second.services.operations.replay(ANY_LETTER)).replayed == 1
        async with asyncio.timeout(30):
            while not (events := await second.services.stores.outbox.pending(9)):
                await asyncio.sleep(0.05)
        assert len(await second.log("m-1")) == 1
    assert [row["type"] for row in events] == ["log.drafted"]


async def _fail(*_: object) -> None:
    raise RuntimeError


async def test_a_letter_that_nobody_takes_back_stays(bridge: Journey, ops: Operations) -> None:
    """A replay to an exchange that is not ours, or that no queue is bound to, is refused, and the letter is kept."""
    headers: dict[str, Any] = {"x-reason": "exhausted", "x-original-routing-key": "statement.unheard"}
    for number, exchange in enumerate((bridge.topology.statements, "amq.topic", "")):
        letter_headers = {**headers, "x-original-exchange": exchange}
        await publish_raw(bridge.settings, bridge.topology.dead_letters, "", b"%d" % number, headers=letter_headers)
    result = await ops.replay(ANY_LETTER)
    assert (result.replayed, len(result.refused)) == (0, 3)
    assert [letter.body for letter in await bridge.dead_letters()] == [b"0", b"1", b"2"]


STRANGE_HEADERS: list[dict[str, Any]] = [
    *({"x-death": "foo"}, {"x-death": ["a"]}, {"x-death": [{"routing-keys": "a", "exchange": ["b"]}]}),
    {"x-reason": ["a"]},
    {"x-reason": "conflict", "x-failed-at": "0001-01-01T00:00:00+05:00"},
    {"x-reason": "conflict", "x-original-routing-key": "x" * 300},
]


async def test_a_strangers_letter_is_listed(bridge: Journey, ops: Operations) -> None:
    """Headers that nobody of ours writes spoil no list, and no replay of others."""
    for number, headers in enumerate(STRANGE_HEADERS):
        letter_headers = {"x-original-exchange": bridge.topology.statements, **headers}
        await publish_raw(bridge.settings, bridge.topology.dead_letters, "", b"%d" % number, headers=letter_headers)
        assert len(await ids(ops)) == number + 1, headers
    assert sorted((await ops.replay(ANY_LETTER)).refused) == sorted(await ids(ops))


async def test_a_correlation_header_that_is_none_stops_nothing(bridge: Journey, ops: Operations) -> None:
    """What would not fit the property is not taken for a correlation id: the letter gets the one of its body."""
    letters: list[AbstractIncomingMessage] = []
    async with asyncio.timeout(30):
        for number, value in enumerate(("x" * 300, "é" * 200, {"a": 1}, 7)):
            name, headers = bridge.topology.statements, {"x-correlation-id": value}
            await publish_raw(bridge.settings, name, "statement.completed", b"no JSON", headers=headers)
            while len(letters) <= number:
                letters += await bridge.dead_letters()
                await asyncio.sleep(0.01)
    assert [len(letter.correlation_id or "") for letter in letters] == [32] * 4


class Cut(Exception):
    """The process ends here."""


@pytest.mark.parametrize("step", ["before publishing", "after the confirm", "after the acknowledgement"])
async def test_an_interrupted_replay_loses_nothing(
    bridge: Journey, ops: Operations, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    """Cut off at any step and done again, a replay leaves each statement recorded once and no letter behind."""
    await bridge.add_member("m-1", member())
    statements = [completed(activity=f"course/{number}") for number in range(3)]
    for body in map(orjson.dumps, statements):
        fields = {
            "x-reason": "exhausted",
            "x-original-exchange": bridge.topology.statements,
            "x-original-routing-key": "statement.completed",
            "x-correlation-id": statements[0]["id"],
        }
        await publish_raw(bridge.settings, bridge.topology.dead_letters, "", body, headers=fields)
    assert len(await ids(ops)) == 3

    put_back, settle = dead_queue._Pass._put_back, dead_queue._Pass._settle  # pyright: ignore[reportPrivateUsage] - the steps

    async def cut_put_back(self: Any, message: AbstractIncomingMessage, letter: QueuedDeadLetter) -> bool:
        if step == "after the confirm":
            await put_back(self, message, letter)
        raise Cut

    async def cut_settle(self: Any, messages: Any, judge: Any) -> int:
        await settle(self, messages, judge)
        raise Cut

    with monkeypatch.context() as cut:
        if step == "after the acknowledgement":
            cut.setattr(dead_queue._Pass, "_settle", cut_settle)  # pyright: ignore[reportPrivateUsage] - as above
        else:
            cut.setattr(dead_queue._Pass, "_put_back", cut_put_back)  # pyright: ignore[reportPrivateUsage] - as above
        with suppress(Cut, ExceptionGroup):
            await ops.replay(ANY_LETTER)
    await ops.replay(ANY_LETTER)
    assert await ids(ops) == await bridge.dead_letters() == []
    expected_ids = [statement["id"] for statement in statements]
    async with asyncio.timeout(30):
        while len(ledger := await bridge.services.stores.lrs_ledger.rows_of(expected_ids)) < 3:
            await asyncio.sleep(0.05)
    assert {row.get("disposition") for row in ledger.values()} == {"recorded"}


async def test_two_replays_at_once_deal_with_each_letter_once(bridge: Journey, ops: Operations) -> None:
    """Passes take turns: together they replay everything, and no letter is left or lost."""
    bodies = await bad(bridge, 10)
    keys = list(bridge.outcomes)
    assert len(await ids(ops)) == 10
    bridge.outcomes.clear()
    first, second = await asyncio.gather(ops.replay(ANY_LETTER), ops.replay(ANY_LETTER))
    await bridge.settled(keys)
    assert first.replayed + second.replayed >= 10
    assert {letter.body for letter in await bridge.dead_letters()} == set(bodies)


async def test_a_pass_waits_for_its_turn_and_says_so(bridge: Journey, monkeypatch: pytest.MonkeyPatch) -> None:
    """While another process makes a pass, a replay waits, and in the end asks to be tried again."""
    await bad(bridge)
    monkeypatch.setattr(dead_queue, "WAIT_FOR_TURN", 0.3)
    async with connection(bridge.settings, "another pass") as broker:
        assert await dead_queue.acquire_within(broker, f"{bridge.topology.dead_queue}.pass", 1)
        with pytest.raises(Unavailable, match="Another replay"):
            await bridge.services.operations.replay(ANY_LETTER)
    monkeypatch.undo()
    assert (await bridge.services.operations.discard(ANY_LETTER)).discarded == 1


async def test_filters_choose_by_reason_age_and_member(bridge: Journey, ops: Operations) -> None:
    """Letters are found by reason, by the age of the failure, and by the member whom they are about."""
    await bridge.add_member("m-1", member("1001"))
    await bridge.add_member("m-2", member("1002"))
    await bridge.send(
        {**completed("1001"), "verb": {"id": "completed"}},
        {**completed("1002"), "verb": {"id": "completed"}},
        completed("1002", at="2126-01-01T00:00:00Z"),
        b"not json",
    )
    assert len(await ids(ops)) == 4
    assert len(await ids(ops, DeadLetterFilter(member_id="m-1"))) == 1
    assert len(await ids(ops, DeadLetterFilter(member_id="m-2"))) == 2
    assert len(await ids(ops, DeadLetterFilter(member_id="m-2", reason="future_timestamp"))) == 1
    assert len(await ids(ops, DeadLetterFilter(younger_than="1h"))) == 4
    assert len(await ids(ops, DeadLetterFilter(younger_than="999999d"))) == 4  # since before there were years
    assert await ids(ops, DeadLetterFilter(older_than="1h")) == await ids(ops, DeadLetterFilter(member_id="m-3")) == []
    assert await ids(ops, DeadLetterFilter(older_than="999999d")) == []


async def test_a_long_queue_is_passed_over_in_parts(bridge: Journey, ops: Operations) -> None:
    """More letters than are held at once are all dealt with, in order."""
    bodies = await bad(bridge, 3 * AT_ONCE + 1)
    tap = await bridge.channel.declare_queue(exclusive=True)
    await tap.bind(bridge.topology.statements, "#")
    assert (await ops.replay(ANY_LETTER)).replayed == len(bodies)
    messages: list[bytes] = []

    async def take(message: aio_pika.abc.AbstractIncomingMessage) -> None:
        messages.append(message.body)

    await tap.consume(take, no_ack=True)
    async with asyncio.timeout(30):
        while len(messages) < len(bodies):
            await asyncio.sleep(0.05)
    assert sorted(messages) == sorted(bodies)  # two parts can change places, seen once in many runs
