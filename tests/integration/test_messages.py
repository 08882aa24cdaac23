"""Messages as senders write them: bodies and properties, read or refused with a reason (R28, AMQP in)."""

from __future__ import annotations

import gzip
import struct
import zlib
from collections.abc import Callable
from typing import cast

import orjson
import pytest
import zstandard
from aiormq import Channel, spec

from bridge.domain.statements import Reason
from tests.support.journey import Journey, words
from tests.support.statements import account, completed, member


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
