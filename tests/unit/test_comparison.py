"""When two statements are the same one (xAPI-Data §2.3.1)."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import orjson
import pytest

from bridge.domain.statements.comparison import SIGNATURE, digest, is_same, same
from schemas import xapi

ADA, BOB, LRS = ({"mbox": f"mailto:{name}@example.org"} for name in ("ada", "bob", "lrs"))
UUID = "ae2f7f3a-7c4b-4c8a-9b5e-1f3b6d1c2a30"
ACTIVITY: dict[str, Any] = {"id": "https://t.example.org/1"}
FILE: dict[str, Any] = {
    "usageType": "https://u.example.org/certificate",
    "display": {"en-GB": "Certificate"},
    "contentType": "application/pdf",
    "length": 5,
    "sha2": "ab" * 32,
}
WHOLE: dict[str, Any] = {
    "id": UUID,
    "actor": {"objectType": "Group", "mbox": "mailto:Team@example.org", "member": [ADA, BOB]},
    "verb": {"id": "https://v.example.org/read"},
    "object": {
        "objectType": "SubStatement",
        "actor": {"mbox_sha1sum": "ab" * 20},
        "verb": {"id": "https://v.example.org/planned"},
        "object": {"objectType": "StatementRef", "id": UUID},
        "timestamp": "2026-05-04T10:00:00Z",
    },
    "result": {
        "score": {"scaled": 1, "raw": 3, "min": 0, "max": 10},
        "duration": "PT1.12S",
        "response": "",
        "extensions": {"https://e.example.org/x": {"n": [1, 2.5, None, {}, True]}},
    },
    "context": {
        "registration": UUID,
        "instructor": ADA,
        "team": {"objectType": "Group", "member": [ADA, BOB]},
        "language": "en-gb",
        "statement": {"objectType": "StatementRef", "id": UUID},
        "contextActivities": {"parent": [{"id": "https://t.example.org/2"}], "other": [ACTIVITY]},
        "contextAgents": [
            {"objectType": "contextAgent", "agent": ADA, "relevantTypes": ["https://r.example.org/a", "x:b"]},
            {"objectType": "contextAgent", "agent": BOB},
        ],
        "contextGroups": [{"objectType": "contextGroup", "group": {"objectType": "Group", "member": [BOB, ADA]}}],
    },
    "timestamp": "2026-05-04T10:00:00.123Z",
    "attachments": [FILE, {**FILE, "sha2": "cd" * 32}],
    "version": "2.0.0",
}


def changed(path: str, value: Any) -> dict[str, Any]:
    """The whole statement with one part replaced, or, for ``...``, removed."""
    statement = copy.deepcopy(WHOLE)
    *parents, last = (int(name) if name.isdigit() else name for name in path.split("/"))
    part: Any = statement
    for name in parents:
        part = part[name]
    if value is ...:
        del part[last]
    else:
        part[last] = value
    return statement


EQUAL_CHANGES: list[tuple[str, Any]] = [
    ("id", UUID.upper()),
    ("id", ...),
    ("stored", "2026-01-01T00:00:00Z"),
    ("authority", LRS),
    ("version", "2.0.1"),
    ("timestamp", ...),
    ("timestamp", "2026-05-04T11:00:00.123+01:00"),
    ("timestamp", "2026-05-04T04:30:00.1239999999-0530"),
    ("actor/member", [BOB, ADA]),
    ("actor/member/0", {**ADA, "objectType": "Agent", "name": "Ada"}),
    ("actor/mbox", "mailto:Team@EXAMPLE.Org"),
    ("verb/display", {"en": "read"}),
    ("object/actor/objectType", "Agent"),
    ("object/actor/mbox_sha1sum", "AB" * 20),
    ("object/verb/display", {"en": "planned"}),
    ("object/object/id", UUID.upper()),
    ("object/timestamp", "2026-05-04T12:00:00.000+02:00"),
    ("object/attachments", []),
    ("result/score/scaled", 1.0),
    ("result/score/min", -0.0),
    ("result/duration", "PT1.129S"),
    ("context/registration", UUID.upper()),
    ("context/instructor/mbox", "mailto:ada@Example.ORG"),
    ("context/team/member", [BOB, ADA]),
    ("context/language", "en-GB"),
    ("context/statement/id", UUID.upper()),
    ("context/contextActivities/parent", {"id": "https://t.example.org/2", "objectType": "Activity"}),
    ("context/contextActivities/other/0/definition", {"name": {"en": "One"}, "type": "https://t.example.org/type"}),
    ("context/contextActivities/grouping", []),
    ("context/contextAgents/0/relevantTypes", ["x:b", "https://r.example.org/a"]),
    ("context/contextAgents/1/agent/name", "Bob"),
    ("context/contextGroups/0/group/member", [ADA, BOB]),
    ("context/extensions", {}),
    ("attachments/0/sha2", "AB" * 32),
    ("attachments/0/fileUrl", "https://f.example.org/x"),
    ("attachments/0/contentType", "Application/PDF"),
    ("attachments/0/display", {"EN-gb": "Certificate"}),
    ("attachments/0/length", 5.0),
    ("attachments", [FILE, {**FILE, "usageType": SIGNATURE}, {**FILE, "sha2": "cd" * 32}]),
]


@pytest.mark.parametrize(("path", "value"), EQUAL_CHANGES)
def test_the_same_told_otherwise(path: str, value: Any) -> None:
    """What an LRS may assign, change or leave out, and how JSON is written, make no other statement."""
    second = changed(path, value)
    assert xapi.is_valid(WHOLE)
    assert xapi.is_valid(second)
    assert same(WHOLE, second)
    assert same(second, WHOLE)


RESPELT: list[Callable[[bytes], bytes]] = [
    lambda text: text.replace(b"2.5", b"25e-1").replace(b"[1,", b"[1.0,"),
    lambda text: text.replace(b"ada@", b"\\u0061da@"),
    lambda text: text.replace(b",", b" ,\n"),
    lambda text: orjson.dumps(dict(reversed(orjson.loads(text).items()))),
]


@pytest.mark.parametrize("respelt", RESPELT)
def test_how_json_is_written_does_not_count(respelt: Callable[[bytes], bytes]) -> None:
    """Numbers, escapes, blanks and the order of properties."""
    text = respelt(orjson.dumps(WHOLE))
    assert text != orjson.dumps(WHOLE)
    assert same(WHOLE, orjson.loads(text))


REAL_CHANGES: list[tuple[str, Any]] = [
    ("actor", ADA),
    ("actor/mbox", "mailto:team@example.org"),
    ("actor/member", [ADA]),
    ("actor/member", [ADA, BOB, BOB]),
    ("verb/id", "https://v.example.org/Read"),
    ("object", {"objectType": "Agent", **ADA}),
    ("object", ACTIVITY),
    ("object/timestamp", ...),
    ("object/timestamp", "2026-05-04T10:00:00.001Z"),
    ("timestamp", "2026-05-04T10:00:00.124Z"),
    ("timestamp", "0001-01-01T00:00:00+01:00"),
    ("result/completion", True),
    ("result/score/raw", 3.1),
    ("result/response", ...),
    ("result/duration", "PT1.13S"),
    ("result/duration", "PT0M1.12S"),
    ("result/extensions", {"https://e.example.org/x": {"n": [2.5, 1, None, {}, True]}}),
    ("result/extensions", {"https://e.example.org/x": {"n": [1, 2.5, None, {}, 1]}}),
    ("result/extensions", {"https://e.example.org/x": {"n": [1, 2.5, None, [], True]}}),
    ("context/registration", UUID.replace("a", "b")),
    ("context/platform", "x"),
    ("context/contextActivities/category", [ACTIVITY]),
    ("context/contextAgents/1/agent", LRS),
    ("attachments", [FILE]),
    ("attachments/0/length", 6),
]


@pytest.mark.parametrize(("path", "value"), REAL_CHANGES)
def test_another_statement(path: str, value: Any) -> None:
    """Another fact makes another statement."""
    assert not same(WHOLE, changed(path, value))


def test_numbers_keep_their_whole_precision() -> None:
    """Whole numbers beyond those of a float are told apart, and large ones are the same however they are written."""
    first, second = (changed("result/extensions", {"x:n": 2**53 + n}) for n in (0, 1))
    assert not same(first, second)
    assert same(changed("result/extensions", {"x:n": 10**18}), changed("result/extensions", {"x:n": 1e18}))


def test_the_digest_of_what_was_erased_is_of_nothing() -> None:
    """An empty digest equals none, not even itself."""
    assert is_same(digest(WHOLE), digest(WHOLE))
    assert not is_same(b"", digest(WHOLE))
    assert not is_same(b"", b"")
