"""The member feed: members come, change and leave in whatever order the messages do (R82, decision 10)."""

from __future__ import annotations

import asyncio
import gzip
import zlib
from collections.abc import AsyncGenerator, Sequence
from typing import Any

import orjson
import pytest
from prometheus_client import REGISTRY

from bridge.api.asyncapi import describe
from bridge.broker.publisher import Outgoing, Publisher
from bridge.domain.members.members import StoredMember
from bridge.domain.members.messages import MemberLeft, MemberUpserted
from bridge.domain.operations.letters import DeadLetterFilter
from bridge.errors import Unavailable
from bridge.services.members.members import Membership
from consumers.members import MemberConsumer
from tests.support.journey import Journey
from tests.support.statements import account, completed, member

RESULTS = ("applied", "stale", "erased", "not_json", "too_large", "invalid_statement", "conflict", "exhausted")


def settled() -> float:
    """How many messages of the feed were settled by now, in this process."""
    return sum(REGISTRY.get_sample_value("cpd_bridge_member_changes_total", {"result": name}) or 0 for name in RESULTS)


class Feed:
    """Publishes member messages and waits until each is settled."""

    def __init__(self, bridge: Journey) -> None:
        self.bridge = bridge

    async def send(self, *bodies: Any, key: str = "member.upserted", **options: Any) -> None:
        """Publish bodies (bytes as they are, anything else as JSON), one after another."""
        expected = settled() + len(bodies)
        raw = [body if isinstance(body, bytes) else orjson.dumps(body) for body in bodies]
        exchange = self.bridge.topology.membership
        await Publisher(self.bridge.channel).publish([Outgoing(exchange, key, body, **options) for body in raw])
        async with asyncio.timeout(30):
            while settled() < expected:
                await asyncio.sleep(0.01)

    async def left(self, member_id: str, revision: int) -> None:
        """Tell that a member left."""
        await self.send({"member_id": member_id, "revision": revision}, key="member.left")

    async def member(self, member_id: str) -> StoredMember | None:
        """The member as stored."""
        return await self.bridge.services.stores.members.get(member_id)


@pytest.fixture
async def feed(bridge: Journey) -> AsyncGenerator[Feed]:
    """The feed's consumer beside a running worker."""
    consumer = MemberConsumer(bridge.settings, bridge.topology, bridge.services.members)
    task = asyncio.create_task(consumer.run())
    yield Feed(bridge)
    consumer.stop()
    await task


def upserted(member_id: str = "m-1", revision: int = 1, name: str = "1001", **extra: Any) -> dict[str, Any]:
    """The body of ``member.upserted``."""
    return {**member(name), "member_id": member_id, "revision": revision, **extra}


async def test_a_member_comes_and_what_was_parked_is_recorded(bridge: Journey, feed: Feed) -> None:
    """Decision 10: the identifier that the feed brings takes the parked completion into the log."""
    statement = completed()
    await bridge.send(statement)
    await feed.send(upserted())
    ledger = await bridge.services.stores.lrs_ledger.rows_of([statement["id"]])
    assert ledger[statement["id"]].get("disposition") == "recorded"


async def test_the_hash_that_the_standard_asks_for_names_the_member(bridge: Journey, feed: Feed) -> None:
    """xAPI-Data 2.4.2.3: of the local part as it is and the domain in lower case, however the feed writes them."""
    await feed.send(upserted(identifiers=[{"mbox": "mailto:Bug.One@Example.org"}]))
    (outcome,) = await bridge.send(completed(actor={"mbox_sha1sum": "b27f8a9e317da11661bcf5e6ceb8195e25a1c256"}))
    assert outcome.disposition.value == "recorded"


async def test_a_revision_is_a_whole_number_however_it_is_written(feed: Feed) -> None:
    """JSON Schema takes 7.0 as an integer, and so do we."""
    await feed.send(upserted() | {"revision": 7.0})
    assert (await feed.member("m-1") or {}).get("revision") == 7


async def test_a_long_identifier_is_no_fault(bridge: Journey, feed: Feed) -> None:
    """Statements have no bound for one, so that neither has the feed."""
    await feed.send(upserted(name="n" * 50_000))
    (outcome,) = await bridge.send(completed("n" * 50_000))
    assert outcome.disposition.value == "recorded"


async def test_a_correlation_header_that_is_none_stops_nothing(feed: Feed) -> None:
    """What would not fit the property is not taken for a correlation id; the message after it is taken in."""
    await feed.send(b"no JSON", headers={"x-correlation-id": "x" * 300})
    await feed.send(upserted())
    assert await feed.member("m-1") is not None


async def test_an_older_or_equal_revision_is_ignored(bridge: Journey, feed: Feed) -> None:
    """Whatever order the messages come in, the newest revision stays, and no dead letter is made of the others."""
    await feed.send(upserted(revision=5, renewal_date="2026-09-01"))
    await feed.send(*[upserted(revision=number, renewal_date="2026-01-01") for number in (4, 5, 1)])
    stored = await feed.member("m-1")
    assert stored is not None
    assert (stored["renewal_date"], stored.get("revision")) == ("2026-09-01", 5)
    await feed.send(upserted(revision=6, renewal_date="2026-02-01"))
    assert (await feed.member("m-1") or {})["renewal_date"] == "2026-02-01"
    assert await bridge.dead_letters() == []


async def test_a_member_leaves_and_comes_back(feed: Feed) -> None:
    """Leaving keeps the record; an older message does not undo it, a newer one does."""
    await feed.send(upserted(revision=1))
    await feed.left("m-1", 3)
    await feed.send(upserted(revision=2))
    assert (await feed.member("m-1") or {})["left_at"] is not None
    await feed.left("m-1", 2)
    await feed.send(upserted(revision=4))
    assert (await feed.member("m-1") or {})["left_at"] is None


async def test_leaving_may_come_before_the_member(feed: Feed) -> None:
    """A member of whom only the leaving was heard stays unknown when the older message follows."""
    await feed.left("m-1", 5)
    await feed.send(upserted(revision=4))
    assert await feed.member("m-1") is None
    await feed.send(upserted(revision=6))
    assert await feed.member("m-1") is not None


BAD: dict[str, tuple[Any, str, str]] = {
    "not JSON": (b"{", "not_json", ""),
    "too large": (b" " * 1_100_000, "too_large", ""),
    "no revision": (member() | {"member_id": "m-1"}, "invalid_statement", "/revision:"),
    "a bad date": (upserted(renewal_date="tomorrow"), "invalid_statement", "/renewal_date:"),
    "an unknown field": (upserted(secret="tomorrow"), "invalid_statement", "/secret:"),
    "a bad identifier": (upserted(identifiers=[account("1"), {"mbox": "tomorrow"}]), "invalid_statement", "/identifi"),
    "no object": ([1, 2], "invalid_statement", "/:"),
    "a revision as text": (upserted() | {"revision": "7"}, "invalid_statement", "/revision:"),
    "too deep": (b"[" * 900 + b"]" * 900, "invalid_statement", "/0/0"),
    "half an emoji": (b'{"member_id": "m-1", "name": "half \\ud83d"}', "invalid_statement", "/name:"),
    "a number beyond a float": (b'{"member_id": "m-1", "revision": 1e400}', "invalid_statement", "/revision:"),
    "packed and not said": (gzip.compress(b"{}", mtime=0), "not_json", "JSON was expected; the body looks like gzip"),
}


async def test_a_bad_body_is_a_dead_letter(bridge: Journey, feed: Feed, subtests: pytest.Subtests) -> None:
    """It goes aside byte for byte, with a reason, the place and what was expected, and never the value."""
    for case, (body, reason, place) in BAD.items():
        with subtests.test(case):
            await feed.send(body, correlation_id="c-1")
            (letter,) = await bridge.dead_letters()
            assert letter.body == (body if isinstance(body, bytes) else orjson.dumps(body))
            assert (letter.headers["x-reason"], letter.correlation_id) == (reason, "c-1")
            assert str(letter.headers["x-detail"]).startswith(place)
            assert "tomorrow" not in str(letter.headers["x-detail"])
            assert letter.headers["x-original-routing-key"] == "member.upserted"


async def test_overlapping_periods_are_told_without_their_dates(bridge: Journey, feed: Feed) -> None:
    """The detail of a fault between fields repeats no value either."""
    years = [{"start": "2025-04-01", "end": "2026-04-30"}, {"start": "2026-04-01", "end": "2027-03-31"}]
    await feed.send({**upserted(periods=years), "renewal_date": None})
    (letter,) = await bridge.dead_letters()
    assert "period 2 overlaps period 1" in str(letter.headers["x-detail"])
    assert "April" not in str(letter.headers["x-detail"])


async def test_an_identifier_of_another_member_is_a_conflict(bridge: Journey, feed: Feed) -> None:
    """The letter names the identifier by its place; once the other gives it up, a replay goes through."""
    await feed.send(upserted("m-1"))
    await feed.send(upserted("m-2"))
    (letter,) = (await bridge.services.operations.list(DeadLetterFilter(), [("failed_at", True)], 50, None)).items
    assert (letter["reason"], letter["detail"].partition(":")[0]) == ("conflict", "/identifiers/0")
    assert await feed.member("m-2") is None
    await feed.send(upserted("m-1", revision=2, name="1999"))
    await bridge.services.operations.replay(DeadLetterFilter())
    async with asyncio.timeout(30):
        while await feed.member("m-2") is None:
            await asyncio.sleep(0.01)


async def test_a_packed_body_is_unpacked(feed: Feed) -> None:
    """The feed takes what the statements' queue does, whatever properties the client sets."""
    body, wide = orjson.dumps(upserted()), orjson.dumps(upserted(revision=3)).decode().encode("utf-16")
    await feed.send(gzip.compress(body), content_encoding="gzip:UTF-8")
    assert await feed.member("m-1") is not None
    await feed.send(zlib.compress(orjson.dumps(upserted(revision=2))), content_encoding="DEFLATE")
    await feed.send(wide, content_type="application/json; charset=UTF-16")
    assert (await feed.member("m-1") or {}).get("revision") == 3


class Faulty(Membership):
    """A feed whose store is away, or whose work fails, a number of times."""

    def __init__(self, inner: Membership, faults: Sequence[Exception]) -> None:
        self._inner = inner
        self.faults = list(faults)

    async def apply(self, change: MemberUpserted | MemberLeft) -> Any:
        """Fail as often as told, then do it."""
        if self.faults:
            raise self.faults.pop()
        return await self._inner.apply(change)


async def test_with_the_store_away_it_waits(bridge: Journey) -> None:
    """An outage longer than every attempt dead-letters nothing; the message is applied when the store is back."""
    settings = bridge.settings.model_copy(update={"max_attempts": 1})
    faulty = Faulty(bridge.services.members, [Unavailable() for _ in range(settings.max_attempts + 2)])
    consumer = MemberConsumer(settings, bridge.topology, faulty)
    task = asyncio.create_task(consumer.run())
    await Feed(bridge).send(upserted())
    consumer.stop()
    await task
    assert await bridge.services.stores.members.get("m-1") is not None
    assert await bridge.dead_letters() == []


async def test_what_fails_by_itself_is_tried_again_and_then_put_aside(bridge: Journey) -> None:
    """A fault that goes away costs attempts; one that stays is exhausted, and the queue goes on."""
    faulty = Faulty(bridge.services.members, [RuntimeError(), RuntimeError()])
    settings = bridge.settings.model_copy(update={"max_attempts": 3})
    consumer = MemberConsumer(settings, bridge.topology, faulty)
    task = asyncio.create_task(consumer.run())
    feed = Feed(bridge)
    await feed.send(upserted("m-1"))
    faulty.faults += [RuntimeError(), RuntimeError(), RuntimeError()]
    await feed.send(upserted("m-2", name="1002"))
    await feed.send(upserted("m-3", name="1003"))
    consumer.stop()
    await task
    known_members = [await feed.member(f"m-{number}") is not None for number in (1, 2, 3)]
    assert known_members == [True, False, True]
    (letter,) = await bridge.dead_letters()
    assert (letter.headers["x-reason"], letter.headers["x-attempts"]) == ("exhausted", 3)


async def test_a_stop_hurries_no_attempt(bridge: Journey) -> None:
    """A fault of a tenth of a second, during which the consumer is told to stop, exhausts nothing."""
    faulty = Faulty(bridge.services.members, ())
    consumer = MemberConsumer(bridge.settings, bridge.topology, faulty)
    over = asyncio.get_running_loop().time() + 0.1

    async def applied_later(change: MemberUpserted | MemberLeft) -> Any:
        consumer.stop()
        if asyncio.get_running_loop().time() < over:
            raise RuntimeError
        return await bridge.services.members.apply(change)

    faulty.apply = applied_later
    task = asyncio.create_task(consumer.run())
    await Feed(bridge).send(upserted())
    await task
    assert await bridge.dead_letters() == []
    assert await bridge.services.stores.members.get("m-1") is not None


async def test_a_queue_that_was_deleted_is_declared_again(
    bridge: Journey, feed: Feed, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The watchdog notices, and the feed goes on."""
    monkeypatch.setattr("consumers.consumer.WATCH_EVERY", 0.1)
    await feed.send(upserted("m-1"))
    await bridge.channel.queue_delete(bridge.topology.members)
    async with asyncio.timeout(30):
        while not await _exists(bridge):
            await asyncio.sleep(0.1)
    await feed.send(upserted("m-2", name="1002"))
    assert await feed.member("m-2") is not None


async def _exists(bridge: Journey) -> bool:
    backlogs, _ = await bridge.services.operations.backlogs()
    return next(backlog.consumers for backlog in backlogs if backlog.name == "members") == 1


async def test_each_example_of_the_asyncapi_document_is_taken(bridge: Journey, feed: Feed) -> None:
    """What ``/docs`` shows as a message of the feed is what the feed takes, sent as it stands there."""
    messages = describe(bridge.topology)["components"]["messages"]
    for name, state in (("member.upserted", False), ("member.left", True)):
        (example,) = messages[name]["examples"]
        await feed.send(example["payload"], key=example["name"])
        stored = await feed.member(example["payload"]["member_id"])
        assert stored is not None
        assert (stored["left_at"] is not None) is state
    assert await bridge.dead_letters() == []
