"""JSON text taken apart byte for byte, by its brackets: the elements of an array, the members of an object.

What a part holds is not looked at, so that one that cannot be read costs the others nothing.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Final

from bridge.domain.statements.dispositions import BodyTooLarge, UnreadableBody

MOST_STATEMENTS: Final = 500
"""Statements that one message may hold (api.md, AMQP in)."""

_BLANKS: Final = re.compile(r"[ \t\r\n]*")
_ENDS: Final = frozenset(",]}")
_STRING: Final = r'"(?:[^"\\]++|\\.)*+"'
_NAME: Final = re.compile(_STRING, re.DOTALL)
_INNERMOST: Final = rf'[\[{{](?:[^"\[\]{{}}]++|{_STRING})*+[\]}}]'  # two brackets with none between them
# What lies before the next brackets of one kind, or before the next bracket or comma.
_TO_BRACKETS: Final = re.compile(rf'(?:[^"\[\]{{}}]++|{_STRING}|{_INNERMOST})*+([\[{{]++|[\]}}]++)', re.DOTALL)
_TO_MARK: Final = re.compile(rf'(?:[^"\[\]{{}},]++|{_STRING}|{_INNERMOST})*+([\[{{\]}},])', re.DOTALL)


def elements(body: bytes, limit: int | None = MOST_STATEMENTS) -> list[bytes]:
    """Return the elements of an array; raises ``UnreadableBody``, and ``BodyTooLarge`` for more than ``limit``."""
    text = _text(body)
    parts: list[bytes] = []
    for start, end in _parts(text, "[", "]"):
        if len(parts) == limit:
            raise BodyTooLarge(f"at most {limit} statements in one message were expected")
        parts.append(_bytes(text[start:end]))
    return parts


def members(body: bytes) -> dict[str, bytes]:
    """Return the members of an object, of several with one name the last; raises ``UnreadableBody``."""
    text = _text(body)
    parts: dict[str, bytes] = {}
    for start, end in _parts(text, "{", "}"):
        name_token = _NAME.match(text, start)
        if name_token is None:
            raise _unreadable(start)
        try:
            name = json.loads(name_token[0], strict=False)
        except ValueError:
            raise _unreadable(start) from None
        parts[name] = _bytes(text[_past(text, name_token.end(), ":") : end])
    return parts


def is_balanced(body: bytes) -> bool:
    """Say whether the bracket that a text begins with is closed at its end."""
    text = _text(body)
    try:
        return _skip(text, _past_brackets(text, _skip(text, 0))) == len(text)
    except UnreadableBody:
        return False


def _text(body: bytes) -> str:
    return body.decode("utf-8", "surrogateescape")


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogateescape")


def _unreadable(position: int) -> UnreadableBody:
    return UnreadableBody(f"JSON was expected; reading failed at character {position}")


def _skip(text: str, position: int) -> int:
    blanks = _BLANKS.match(text, position)
    assert blanks is not None  # there may be none of them
    return blanks.end()


def _parts(text: str, opening: str, closing: str) -> Iterator[tuple[int, int]]:
    """Yield where each part between the outermost brackets begins and ends, without the blanks around it."""
    position = _past(text, 0, opening)
    if text[position : position + 1] != closing:
        while True:
            end = _end(text, position)
            yield position, end
            position = _skip(text, end)
            if text[position : position + 1] == closing:
                break
            position = _past(text, position, ",")
    if _past(text, position, closing) != len(text):
        raise _unreadable(position)


def _past(text: str, position: int, mark: str) -> int:
    """Return what follows a mark that must come next."""
    position = _skip(text, position)
    if text[position : position + 1] != mark:
        raise _unreadable(position)
    return _skip(text, position + 1)


def _end(text: str, start: int) -> int:
    """Return where a part ends: before the comma, or the bracket, that is in none of its own."""
    position = start
    while (mark := _TO_MARK.match(text, position)) is not None:
        position = mark.start(1)
        if mark[1] in _ENDS:
            end = start + len(text[start:position].rstrip(" \t\r\n"))
            if end > start:
                return end
            break
        position = _past_brackets(text, position)
    raise _unreadable(position)


def _past_brackets(text: str, position: int) -> int:
    """Return what comes after the bracket that closes the one that opens here."""
    depth, position = 1, position + 1
    while (brackets := _TO_BRACKETS.match(text, position)) is not None:
        count = len(brackets[1])
        opens = brackets[1][0] in "[{"
        if not opens and count >= depth:
            return brackets.start(1) + depth
        depth += count if opens else -count
        position = brackets.end()
    raise _unreadable(position)
