"""What is told of a dead letter to the one it is about."""

from __future__ import annotations

import gzip
from typing import Any

import orjson
import pytest

from bridge.domain.members.identifiers import tombstone
from bridge.domain.operations.letters import own_part
from bridge.domain.privacy.subjects import ALWAYS, DataSubject
from tests.support.statements import HOME, completed

OWN_STATEMENT = completed("1001")


@pytest.mark.parametrize(
    ("body", "encoding", "expected"),
    [
        (orjson.dumps(OWN_STATEMENT), None, [OWN_STATEMENT]),
        (gzip.compress(orjson.dumps([OWN_STATEMENT, completed("2002"), "1001"]), mtime=0), "gzip", [OWN_STATEMENT]),
        (b'{"member_id": "m-1", "name": "Sam"}', None, [{"member_id": "m-1", "name": "Sam"}]),
        (
            orjson.dumps([{**OWN_STATEMENT, "member_id": "m-2"}, {**completed("2002"), "member_id": "m-1"}, {}]),
            None,
            [],
        ),
        (orjson.dumps(OWN_STATEMENT)[:-1], None, None),
        (orjson.dumps(OWN_STATEMENT), "br", None),
        (orjson.dumps(OWN_STATEMENT).decode().encode("utf-16"), "utf-16", [OWN_STATEMENT]),
        (orjson.dumps(OWN_STATEMENT)[:-1] + b', "half": "\\ud83d"}', None, [{**OWN_STATEMENT, "half": "?"}]),
        (orjson.dumps(OWN_STATEMENT)[:-1] + b', "deep": ' + b"[" * 500 + b"]" * 500 + b"}", None, None),
        (None, None, None),
    ],
)
def test_of_a_body_only_what_is_somebodys_own_is_told(body: bytes | None, encoding: str | None, expected: Any) -> None:
    """What names another, or cannot be told whose it is, is left out."""
    stone = tombstone(b"secret", f'account:["{HOME}","1001"]')
    subject = DataSubject("m-1", b"secret", {stone: ALWAYS})
    letter = {"body": body, "content_encoding": encoding, "content_type": None}
    letter_bodies = own_part({**letter, "failed_at": "2026-05-04T10:00:00+00:00"}, subject)
    assert (None if letter_bodies is None else [orjson.loads(body) for body in letter_bodies]) == expected
