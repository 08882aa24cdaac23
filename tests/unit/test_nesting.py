"""Depth is judged by a bound of ours, the same on every Python."""

from __future__ import annotations

import base64
from typing import Any

import orjson
import pytest

from bridge.domain.fields import DEEPEST, check_encoded, is_deep


def nested(levels: int, kind: str) -> Any:
    """So many levels of objects, of arrays, or of both by turns, beside what is flat; the innermost is empty."""
    value: Any = [] if kind == "arrays" else {}
    for level in range(1, levels):
        value = [0, value] if kind == "arrays" or (kind == "both" and level % 2) else {"a": "x", "b": value}
    return value


@pytest.mark.parametrize("kind", ["arrays", "objects", "both"])
def test_the_bound_is_exact(kind: str) -> None:
    """As many levels as the bound are not deep, one more is; what is not deep can be written in two arrays more."""
    for bound in (1, 2, DEEPEST):
        assert not is_deep(nested(bound, kind), bound)
        assert is_deep(nested(bound + 1, kind), bound)
    assert orjson.dumps([[nested(DEEPEST, kind)]])
    assert not is_deep("[[[[", 0)


def encoded(text: bytes) -> bytes:
    """A part of a JWS."""
    return base64.urlsafe_b64encode(text).rstrip(b"=")


@pytest.mark.parametrize(
    "part",
    [
        encoded(orjson.dumps(nested(DEEPEST, "arrays")).replace(b"[]", b"[[]]")),
        encoded(b"[" * 1000 + b"]" * 1000),
        encoded(b"[" * 1_000_000),
        encoded('{"a":[[1]]}'.encode("utf-16")),
        encoded(b"no JSON"),
        b"A",
        "é".encode(),
    ],
)
def test_a_part_of_a_jws_is_json_that_is_not_deep(part: bytes) -> None:
    """Whatever else it is, no reader after this one meets it."""
    with pytest.raises(ValueError):  # noqa: PT011 - the readers have their own words for it
        check_encoded(part)
    check_encoded(encoded(orjson.dumps(nested(DEEPEST, "both"))))
