"""What is told of a dead letter to the one it is about."""

from __future__ import annotations

import gzip
from typing import Any

import orjson
import pytest

from bridge.domain.operations.letters import own_part
from bridge.domain.privacy.subjects import ALWAYS, DataSubject
from bridge.domain.statements.agents import tombstone
from tests.support.statements import HOME, completed

MINE = completed("1001")


@pytest.mark.parametrize(
    ("body", "encoding", "told"),
    [
        (orjson.dumps(MINE), None, [MINE]),
        (gzip.compress(orjson.dumps([MINE, completed("2002"), "1001"]), mtime=0), "gzip", [MINE]),
        (b'{"member_id": "m-1", "name": "Sam"}', None, [{"member_id": "m-1", "name": "Sam"}]),
        (orjson.dumps([{**MINE, "member_id": "m-2"}, {**completed("2002"), "member_id": "m-1"}, {}]), None, []),
        (orjson.dumps(MINE)[:-1], None, None),
        (orjson.dumps(MINE), "br", None),
        (orjson.dumps(MINE).decode().encode("utf-16"), "utf-16", [MINE]),
        (orjson.dumps(MINE)[:-1] + b', "half": "\\ud83d"}', None, [{**MINE, "half": "?"}]),
        (orjson.dumps(MINE)[:-1] + b', "deep": ' + b"[" * 500 + b"]" * 500 + b"}", None, None),
        (None, None, None),
    ],
)
def test_of_a_body_only_what_is_somebodys_own_is_told(body: bytes | None, encoding: str | None, told: Any) -> None:
    """What names another, or cannot be told whose it is, is left out."""
    stone = tombstone(b"secret", f'account:["{HOME}","1001"]')
    subject = DataSubject("m-1", b"secret", {stone: ALWAYS})
    letter = {"body": body, "content_encoding": encoding, "content_type": None}
    own = own_part({**letter, "failed_at": "2026-05-04T10:00:00+00:00"}, subject)
    assert (None if own is None else [orjson.loads(one) for one in own]) == told
