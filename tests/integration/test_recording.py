"""A completed statement becomes a draft in the member's log, whatever comes with it (R27-R31, decisions 4-12)."""

from __future__ import annotations

import asyncio
import gzip
import struct
import zlib
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any, cast

import orjson
import pytest
import zstandard
from aiormq import Channel, spec

from bridge import wiring
from bridge.broker.connection import connection
from bridge.broker.dead_letters import REPLAYED
from bridge.domain.statements.dispositions import Disposition, Outcome, Reason
from bridge.domain.statements.ledger import Arrival, arrival
from bridge.settings import Settings
from consumers.worker import Worker
from tests.support.journey import Journey
from tests.support.statements import HOME, account, activity_of, completed, member, voided


def words(outcome: Outcome) -> str:
    """A disposition with its reason, as api.md writes them."""
    return f"{outcome.disposition.value} {outcome.reason.value}" if outcome.reason else outcome.disposition.value


async def test_a_completion_becomes_a_draft(bridge: Journey) -> None:
    """R27, R29: the draft has the title, description, type, day and minutes of what was completed."""
    await bridge.add_member("m-1", member())
    statement = completed(
        result={"completion": True, "duration": "PT1H30M"},
        object=activity_of("course/1", "<b>Grief</b> &amp; loss"),
        at="2026-03-31T23:30:00Z",
    )
    (outcome,) = await bridge.send(statement)
    (entry,) = await bridge.log("m-1")
    assert outcome == Outcome(Disposition.RECORDED, entry_id=entry["_id"], member_id="m-1")
    assert (entry["title"], entry["description"], entry["type"]) == ("Grief & loss", "An introduction.", "course")
    assert (entry["date"], entry["period_id"]) == ("2026-04-01", "2026-04-01"), "half past midnight in London"
    assert (entry["minutes"], entry["draft"], entry["complete"]) == (90, True, False)
    assert entry["provenance"]["statement_ids"] == [statement["id"]]
    assert "reason" in entry["missing_fields"]


async def test_the_same_statement_again_changes_nothing(bridge: Journey) -> None:
    """Decision 6: a repeat is a duplicate, in the same batch or a later one."""
    await bridge.add_member("m-1", member())
    statement = completed()
    first = await bridge.send(statement, statement)
    again = await bridge.send({**statement, "stored": "2026-05-04T11:00:00Z"})
    assert [words(outcome) for outcome in (*first, *again)] == ["recorded", "duplicate", "duplicate"]
    assert len(await bridge.log("m-1")) == 1


def respelt() -> list[tuple[dict[str, Any], dict[str, Any]]]:
    """Pairs of a statement and the same spelt otherwise, each pair of another course."""
    ways: list[dict[str, Any]] = [
        {"timestamp": "2026-05-04T11:00:00.000+01:00"},
        {"context": {"contextActivities": {"grouping": {"id": f"{HOME}/site"}}}},
        {"actor": {**account("1001"), "objectType": "Agent", "name": "Sam"}},
        {"id": "6E2F1F2A-0A52-4F0E-9D2F-5A1F9D6F0C01"},
        {"result": {"completion": True, "score": {"scaled": 1.0}}},
        {"authority": account("lrs"), "stored": "2026-05-04T10:00:01Z", "version": "1.0.0"},
        {"timestamp": None},
    ]
    firsts = [
        completed(
            activity=f"course/{number}",
            result={"completion": True, "score": {"scaled": 1}},
            context={"contextActivities": {"grouping": [{"id": f"{HOME}/site"}]}},
            **({"id": way["id"].lower()} if "id" in way else {}),
        )
        for number, way in enumerate(ways)
    ]
    pairs = [(first, first | way) for first, way in zip(firsts, ways, strict=True)]
    return [(first, {name: part for name, part in second.items() if part}) for first, second in pairs]


@pytest.mark.parametrize("where", ["the queue", "an array", "a replay"])
async def test_the_same_statement_spelt_otherwise_is_a_duplicate(bridge: Journey, where: str) -> None:
    """Decision 6, xAPI-Data §2.3.1: what an LRS may have caused is no other body; by whatever way it comes."""
    await bridge.add_member("m-1", member())
    pairs = respelt()
    if where == "an array":
        (outcomes,) = await bridge.settled(await bridge.publish([[statement for pair in pairs for statement in pair]]))
        first, second = outcomes[::2], outcomes[1::2]
    else:
        options = {"headers": {REPLAYED: True}} if where == "a replay" else {}
        first = await bridge.send(*[statement for statement, _ in pairs])
        second = await bridge.send(*[statement for _, statement in pairs], **options)
    assert [words(outcome) for outcome in (*first, *second)] == ["recorded"] * len(pairs) + ["duplicate"] * len(pairs)
    assert len(await bridge.log("m-1")) == len(pairs)


class AsWritten(spec.Basic.Properties):
    """Properties as a publisher wrote them, whether or not they can be read."""

    raw: bytes

    def marshal(self) -> bytes:
        """Return them as they are."""
        return self.raw


@pytest.mark.parametrize(
    "raw_properties",
    [
        struct.pack(">HQ", 1 << 6, 1_795_000_000_000_000),
        struct.pack(">HQ", 1 << 6, 2**64 - 1),
        struct.pack(">HB", 1 << 7, 2) + b"\xff\xfe",
        struct.pack(">H", 1 << 13)
        + b"".join(struct.pack(">I3s", 7 * n, b"\1kF") for n in range(9000, 0, -1))
        + bytes(4),
    ],
    ids=["timestamp in microseconds", "timestamp beyond time", "no UTF-8", "deep table"],
)
async def test_properties_that_cannot_be_read_stop_nothing(bridge: Journey, raw_properties: bytes) -> None:
    """A message is recorded as if they were not given, and so is the one after it."""
    await bridge.add_member("m-1", member())
    properties = AsWritten()
    properties.raw = raw_properties
    channel = cast("Channel", await bridge.channel.get_underlay_channel())
    body, key = orjson.dumps(completed()), "statement.completed"
    await channel.basic_publish(body, exchange=bridge.topology.statements, routing_key=key, properties=properties)
    assert words(*await bridge.send(completed(activity="course/2"))) == "recorded"
    assert len(await bridge.log("m-1")) == 2


async def test_another_body_under_the_same_id_is_a_conflict(bridge: Journey) -> None:
    """Decision 6: the first body stays, the second goes to the dead letters."""
    await bridge.add_member("m-1", member())
    statement = completed()
    second = {**statement, "object": activity_of("course/2")}
    outcomes = [*await bridge.send(statement), *await bridge.send(second)]
    assert [words(outcome) for outcome in outcomes] == ["recorded", "dead-lettered conflict"]
    (letter,) = await bridge.dead_letters()
    assert (letter.body, letter.headers["x-reason"]) == (orjson.dumps(second), "conflict")
    assert [entry["provenance"]["activity_id"] for entry in await bridge.log("m-1")] == [statement["object"]["id"]]


async def test_the_same_activity_on_the_same_day_is_one_entry(bridge: Journey) -> None:
    """Decision 7: same day or same registration joins the entry; another day without one makes a new entry."""
    await bridge.add_member("m-1", member())
    registration = {"registration": "5e3f5a0e-2f4b-4a8e-9d6f-7a3d1f1b2c3d"}
    outcomes = await bridge.send(
        completed(at="2026-05-04T08:00:00Z", context=registration),
        completed(at="2026-05-04T20:00:00Z"),
        completed(at="2026-05-09T08:00:00Z", context=registration),
        completed(at="2026-05-10T08:00:00Z"),
    )
    assert [words(outcome) for outcome in outcomes] == ["recorded", "merged", "merged", "recorded"]
    first, second = await bridge.log("m-1")
    assert len(first["provenance"]["statement_ids"]) == 3
    assert (first["date"], second["date"]) == ("2026-05-04", "2026-05-10")


@pytest.mark.parametrize("order", ["voided last", "voided first", "together"])
async def test_a_voided_statement_is_withdrawn(bridge: Journey, order: str) -> None:
    """Decision 8: an untouched draft goes, whichever arrives first."""
    await bridge.add_member("m-1", member())
    statement = completed()
    pair = [statement, voided(statement["id"])]
    if order == "together":
        await bridge.send(*pair)
    else:
        for part_statement in pair if order == "voided last" else reversed(pair):
            await bridge.send(part_statement)
    assert await bridge.log("m-1") == []
    assert words((await bridge.send(statement))[0]) == "duplicate"
    assert await bridge.log("m-1") == []


@pytest.mark.parametrize("copies", [0, 1, 2], ids=["one batch", "completed before", "voided before"])
async def test_the_same_completed_again_after_a_voiding_makes_another_entry(bridge: Journey, copies: int) -> None:
    """Decision 8: whatever of it comes in one batch, nothing joins what was withdrawn."""
    await bridge.add_member("m-1", member())
    first, again = completed(), completed()
    recording, at = bridge.services.recording, datetime.now(UTC)
    statements = [first, voided(first["id"]), again]
    arrivals = [arrival(statement, orjson.dumps(statement), at, recording.rules) for statement in statements]
    for batch in (arrivals[:copies], arrivals[copies:]):
        await recording.record(batch)
    (entry,) = await bridge.log("m-1")
    assert entry["provenance"]["statement_ids"] == [again["id"]]


async def test_a_voiding_that_was_voided_before_it_came_voids(bridge: Journey) -> None:
    """A voiding cannot be voided (xAPI-Data §2.3.2), whenever it comes."""
    await bridge.add_member("m-1", member())
    statement = completed()
    by = voided(statement["id"])
    for part_statement in (statement, voided(by["id"]), by):
        await bridge.send(part_statement)
    assert await bridge.log("m-1") == []
    assert [outcome.disposition for outcome in await bridge.send(by, statement)] == [Disposition.DUPLICATE] * 2


async def test_an_unknown_actor_is_parked_until_the_member_comes(bridge: Journey) -> None:
    """Decision 10: nothing is lost, and the identifier brings it into the log."""
    statement = completed(actor={"mbox": "mailto:Sam@Example.org"})
    assert words((await bridge.send(statement))[0]) == "parked"
    await bridge.add_member("m-1", member(identifiers=[{"mbox": "mailto:sam@example.org"}]))
    (entry,) = await bridge.log("m-1")
    assert entry["provenance"]["statement_ids"] == [statement["id"]]
    ledger = await bridge.services.stores.lrs.ledger.rows_of([statement["id"]])
    assert ledger[statement["id"]].get("disposition") == "recorded"
    assert await bridge.services.stores.waiting.count_parked() == 0


def nested(levels: int) -> bytes:
    """A statement, valid else, with an extension of so many levels."""
    raw = orjson.dumps(completed(activity="course/deep", result={"extensions": {"https://example.org/x": "deep"}}))
    return raw.replace(b'"deep"', b'{"a":' * levels + b"1" + b"}" * levels)


OUTCOMES = {
    "ignored not_completed": [
        completed(result={"completion": False}),
        completed(actor={"objectType": "Group", "mbox": "mailto:team@example.org"}),
    ],
    "ignored verb": [completed(verb={"id": "http://adlnet.gov/expapi/verbs/attempted"})],
    "ignored not_catalogue": [completed(object={"objectType": "Agent", **account("1001")})],
    "ignored sub_activity": [
        completed(context={"contextActivities": {"parent": [{"id": "https://learning.example.org/course/9"}]}})
    ],
    "dead-lettered future_timestamp": [completed(at="2126-01-01T00:00:00Z")],
    "dead-lettered invalid_statement": [
        completed(verb={"id": "completed"}),
        completed(actor={"mbox": "mailto:sam@example.org", "openid": "https://sam.example.org"}),
        completed(result={"duration": "ninety minutes"}),
        completed(surprise=True),
        "a string",
        {},
        7,
        None,
        nested(260),
        nested(900),
        b"[" + nested(260) + b"]",
        b"[" + nested(980) + b"]",
        b"[" + nested(980).replace(b'"verb"', b'"verbs"') + b"]",
        nested(5000),
        b'{"id": "\\ud800"}',
        b'{"id": 1e400}',
    ],
    "recorded": [nested(200)],
    "dead-lettered not_json": [b"", b"not json", b'{"id": NaN}', b"[" * 100_000, b"\xff\xfe"],
    "dead-lettered too_large": [b" " * 9_000_000],
}


async def test_each_statement_has_one_disposition(bridge: Journey) -> None:
    """Invariant 1, R28: whatever comes is settled with a reason from the closed lists, and the queue goes on."""
    await bridge.add_member("m-1", member())
    cases = [(expected, body) for expected, bodies in OUTCOMES.items() for body in bodies]
    outcomes = await bridge.send(*(body for _, body in cases))
    assert [words(outcome) for outcome in outcomes] == [expected for expected, _ in cases]
    assert words((await bridge.send(completed()))[0]) == "recorded"


async def test_a_dead_letter_keeps_the_body_and_says_why(bridge: Journey) -> None:
    """The dead letter has the body byte for byte and every header that api.md names."""
    body = b'  {"actor": {"mbox": "sam@example.org"}, "verb": 7}\n'
    (key,) = await bridge.publish([body])
    await bridge.settled([key])
    (letter,) = await bridge.dead_letters()
    assert letter.body == body
    assert letter.headers["x-reason"] == Reason.INVALID_STATEMENT.value
    assert str(letter.headers["x-detail"]).startswith("/")
    assert "sam@" not in str(letter.headers["x-detail"])
    assert letter.headers["x-original-exchange"] == bridge.topology.statements
    assert letter.headers["x-original-routing-key"] == "statement.completed"
    assert (letter.headers["x-correlation-id"], letter.headers["x-attempts"]) == (key, 1)
    assert "x-failed-at" in letter.headers


async def test_a_bad_statement_in_an_array_fails_alone(bridge: Journey) -> None:
    """Each statement of an array is settled by itself; the bad one's bytes are its own dead letter."""
    await bridge.add_member("m-1", member())
    bad = b'{ "verb": "completed" , "n": 1.50 }'
    good = [orjson.dumps(completed(activity=f"course/{number}")) for number in range(4)]
    body = b"\xef\xbb\xbf[" + good[0] + b",\n" + good[1] + b" , " + bad + b"," + good[2] + b"," + good[3] + b"]"
    (outcomes,) = await bridge.settled(await bridge.publish([body]))
    assert [words(outcome) for outcome in outcomes].count("recorded") == 4
    assert words(outcomes[2]) == "dead-lettered invalid_statement"
    (letter,) = await bridge.dead_letters()
    assert letter.body == bad
    assert len(await bridge.log("m-1")) == 4


ODD: dict[bytes, str] = {
    rb'"cut off \ud83d"': "dead-lettered invalid_statement",
    b"1e400": "dead-lettered invalid_statement",
    b"[" * 300 + b"]" * 300: "dead-lettered invalid_statement",
    b"[" * 1500 + b"]" * 1500: "dead-lettered invalid_statement",
    b"NaN": "dead-lettered not_json",
    b'"caf\xe9"': "dead-lettered not_json",
    b'"a\nb"': "dead-lettered not_json",
    b'{"a": 1, "a": 2}': "recorded",
    b"123456789012345678901234567890": "recorded",
}
PLACE = "/result/extensions/https:~1~1e.org~1x"


async def test_an_element_that_cannot_be_read_costs_the_others_nothing(bridge: Journey) -> None:
    """Each is judged by itself, and its dead letter has its bytes and says where in it the fault is."""
    await bridge.add_member("m-1", member())
    parts: list[bytes] = []
    for number, odd in enumerate(ODD):
        odd_statement = completed(activity=f"odd/{number}", result={"extensions": {"https://e.org/x": "here"}})
        parts += [
            orjson.dumps(completed(activity=f"course/{number}")),
            orjson.dumps(odd_statement).replace(b'"here"', odd),
        ]
    (outcomes,) = await bridge.settled(await bridge.publish([b"[" + b",\n ".join(parts) + b"]"]))
    assert [words(outcome) for outcome in outcomes] == [
        word for expected in ODD.values() for word in ("recorded", expected)
    ]
    dead = {bytes(letter.body): str(letter.headers["x-detail"]) for letter in await bridge.dead_letters()}
    bad = [part for part, outcome in zip(parts, outcomes, strict=True) if words(outcome) != "recorded"]
    assert list(dead) == bad
    assert all(detail.startswith(PLACE) for detail in dead.values())


async def test_an_array_holds_up_to_500(bridge: Journey) -> None:
    """500 statements in one message are recorded; 501 are one dead letter."""
    await bridge.add_member("m-1", member())
    full = [completed(activity=f"course/{number}") for number in range(500)]
    keys = await bridge.publish([full, [*full, completed()], []])
    outcomes, refusals, empty = await bridge.settled(keys)
    assert {words(outcome) for outcome in outcomes} == {"recorded"}
    assert [words(outcome) for outcome in refusals] == ["dead-lettered too_large"]
    assert empty == []
    assert len(await bridge.log("m-1")) == 500


@pytest.mark.parametrize(
    ("encoding", "pack"), [("gzip", gzip.compress), ("zstd", zstandard.compress), ("deflate", zlib.compress)]
)
async def test_a_packed_body_is_unpacked(bridge: Journey, encoding: str, pack: Callable[[bytes], bytes]) -> None:
    """Gzip, zstd and deflate are taken; what is not packed so is a dead letter, byte for byte; a bomb is too large."""
    await bridge.add_member("m-1", member())
    bodies = [pack(orjson.dumps(completed())), b"{}", pack(b" " * 50_000_000)]
    outcomes = await bridge.send(*bodies, content_encoding=encoding)
    assert [words(outcome) for outcome in outcomes] == ["recorded", "dead-lettered not_json", "dead-lettered too_large"]
    assert sorted(letter.body for letter in await bridge.dead_letters()) == sorted(bodies[1:])


PROPERTIES: list[tuple[str | None, str | None, Callable[[bytes], bytes], str]] = [
    ("application/json", "UTF-8", bytes, ""),
    ("application/json", "utf8", bytes, ""),
    ("application/json", "binary", bytes, ""),
    ("application/json", "us-ascii", bytes, ""),
    ("application/json", "GZIP", gzip.compress, ""),
    ("application/json", "x-gzip", gzip.compress, ""),
    ("application/json", "gzip:UTF-8", gzip.compress, ""),
    ("application/json", "gzip,UTF-8", gzip.compress, ""),
    ("application/json", "deflate", zlib.compress, ""),
    ("application/json; charset=utf-8", None, bytes, ""),
    ("text/plain", "UTF-8", bytes, ""),
    ("application/octet-stream", None, bytes, ""),
    (None, None, bytes, ""),
    ("application/json", "utf-16", lambda body: body.decode().encode("utf-16"), ""),
    ("application/json; charset=utf-16", None, lambda body: body.decode().encode("utf-16"), ""),
    ("application/json", "br", lambda _: b"\x0b\x02packed", "gzip, deflate or zstd"),
    ("application/json", "gzip", bytes, "not gzip"),
    ("application/json", None, gzip.compress, "set the content encoding gzip"),
]


async def test_the_properties_that_clients_set_are_understood(bridge: Journey) -> None:
    """Each is recorded, or a dead letter with the properties it came with that says what would be taken."""
    await bridge.add_member("m-1", member())
    keys: list[str] = []
    for number, (content_type, encoding, pack, _) in enumerate(PROPERTIES):
        body = pack(orjson.dumps(completed(activity=f"course/{number}")))
        keys += await bridge.publish([body], content_type=content_type, content_encoding=encoding)
    outcomes = [words(outcome) for (outcome,) in await bridge.settled(keys)]
    assert outcomes == ["dead-lettered not_json" if detail else "recorded" for *_, detail in PROPERTIES]
    refusals = [properties for properties in PROPERTIES if properties[3]]
    for letter, (_, encoding, _, told) in zip(await bridge.dead_letters(), refusals, strict=True):
        assert told in str(letter.headers["x-detail"])
        assert letter.content_encoding == encoding


async def test_a_statement_without_an_id_is_known_by_its_bytes(bridge: Journey) -> None:
    """A redelivery of a statement that has no id is recognised."""
    await bridge.add_member("m-1", member())
    statement = {name: value for name, value in completed().items() if name != "id"}
    outcomes = await bridge.send(statement, statement)
    assert [words(outcome) for outcome in outcomes] == ["recorded", "duplicate"]
    assert len(await bridge.log("m-1")) == 1


async def test_keys_with_dots_and_dollars_survive(bridge: Journey) -> None:
    """A statement's JSON is kept as received, whatever its keys are."""
    await bridge.add_member("m-1", member())
    extensions = {"http://example.org/a.b/$c": {"$set": {"x.y": 1}, "deep": [[[[{"a.b": "$d"}]]]]}}
    statement = completed(result={"extensions": extensions})
    await bridge.send(statement)
    row = (await bridge.services.stores.lrs.ledger.rows_of([statement["id"]]))[statement["id"]]
    assert bytes(row.get("raw", b"")) == orjson.dumps(statement)


async def test_a_five_megabyte_statement_is_taken(bridge: Journey) -> None:
    """A large statement is recorded with its description cut to what the form allows, and kept whole in the ledger."""
    await bridge.add_member("m-1", member())
    activity = activity_of("course/1")
    activity["definition"]["description"] = {"en-GB": "word " * 1_000_000}
    assert words((await bridge.send(completed(object=activity)))[0]) == "recorded"
    (entry,) = await bridge.log("m-1")
    assert len(entry["description"]) <= 100_000


async def test_members_without_identifiers_are_no_conflict(bridge: Journey) -> None:
    """R82: the membership system may bring members before it knows how the Learning centre names them."""
    await bridge.add_member("m-1", member(identifiers=[]))
    await bridge.add_member("m-2", member(identifiers=[]))
    await bridge.add_member("m-2", member())
    assert words((await bridge.send(completed()))[0]) == "recorded"


async def test_a_stop_hurries_no_attempt(settings: Settings) -> None:
    """Invariant 7: a fault of a tenth of a second, during which the worker is told to stop, exhausts nothing."""
    async with wiring.services(settings) as services, connection(settings, "test") as broker:
        await services.stores.prepare()
        parallel = Journey(settings, services, await broker.channel(publisher_confirms=True, on_return_raises=True))
        await parallel.topology.declare(parallel.channel)
        worker = Worker(settings, parallel.topology, services.recording, parallel.report)
        record, over = services.recording.record, asyncio.get_running_loop().time() + 0.1

        async def recorded_later(arrivals: Sequence[Arrival], *, tries: int | None = None) -> list[Outcome]:
            worker.stop()
            if asyncio.get_running_loop().time() < over:
                raise RuntimeError
            return await record(arrivals, tries=tries)

        services.recording.record = recorded_later
        (key,) = await parallel.publish([completed()])
        over = asyncio.get_running_loop().time() + 0.1
        await worker.run()
        assert words((await parallel.settled([key]))[0][0]) == "parked"
