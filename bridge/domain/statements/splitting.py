"""JSON text taken apart byte for byte, without a look at what its parts hold: each can then be judged by itself.

A part may be what our reader cannot read (a number beyond a float, half an emoji, deep nesting, bytes that are not
UTF-8, ``NaN``), and even no JSON, as long as its brackets and quotes come in pairs: it costs the others nothing.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from typing import Any, Final

from bridge.domain.statements.bodies import FEWER, MOST_STATEMENTS, BodyTooLarge, UnreadableBody, is_heavy

MOST_BRACKETS: Final = 300_000
"""Brackets that are counted in a part which the scanner cannot read: a stranger's body takes no long time."""

_BLANK: Final = b" \t\r\n"
_BLANKS: Final = re.compile(r"[ \t\r\n]*")
_ENDS: Final = frozenset(",]}")
_SCAN: Final = json.JSONDecoder(strict=False, parse_int=str, parse_float=str).raw_decode
_STRING: Final = r'"(?:[^"\\]++|\\.)*+"'
# What lies before the next brackets of one kind, or before the next bracket or comma.
_TO_BRACKETS: Final = re.compile(rf'(?:[^"\[\]{{}}]++|{_STRING})*+([\[{{]++|[\]}}]++)', re.DOTALL)
_TO_MARK: Final = re.compile(rf'(?:[^"\[\]{{}},]++|{_STRING})*+([\[{{\]}},])', re.DOTALL)


def is_array(body: bytes) -> bool:
    """Say whether a text begins as an array does."""
    return body.lstrip(_BLANK).startswith(b"[")


def is_object(body: bytes) -> bool:
    """Say whether a text begins as an object does."""
    return body.lstrip(_BLANK).startswith(b"{")


def is_balanced(body: bytes) -> bool:
    """Say whether the bracket that a text begins with is closed at its end."""
    text = _text(body)
    try:
        return _skip(text, _past_brackets(text, _skip(text, 0))) == len(text)
    except UnreadableBody:
        return False


def elements(body: bytes, most: int | None = MOST_STATEMENTS) -> list[bytes]:
    """Return the elements of an array; raises ``UnreadableBody``, and ``BodyTooLarge`` for more than ``most``.

    One that would fill the memory is split by its brackets, as far as they can be counted.
    """
    heavy, text = is_heavy(body), _text(body)
    parts: list[bytes] = []
    try:
        for start, end in _parts(text, "[", "]", _end_by_brackets if heavy else _end):
            if len(parts) == most:
                raise BodyTooLarge(f"at most {most} statements in one message were expected")
            parts.append(_bytes(text[start:end]))
    except UnreadableBody:
        if heavy:
            raise BodyTooLarge(FEWER) from None
        raise
    return parts


def members(body: bytes) -> dict[str, bytes]:
    """Return the members of an object, of several with one name the last; raises ``UnreadableBody``."""
    text = _text(body)
    parts: dict[str, bytes] = {}
    for start, end in _parts(text, "{", "}", _end):
        name, after = _scanned(text, start)
        if not isinstance(name, str):
            raise _unreadable(start)
        parts[name] = _bytes(text[_past(text, after, ":") : end])
    return parts


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


def _parts(text: str, opening: str, closing: str, end_of: Callable[[str, int], int]) -> Iterator[tuple[int, int]]:
    """Yield where each part between the outermost brackets begins and ends, without the blanks around it."""
    position = _past(text, 0, opening)
    if text[position : position + 1] != closing:
        while True:
            end = end_of(text, position)
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
    """Return where a part ends: as the scanner says, which is quick, or else as its brackets do."""
    end = _scanned(text, start)[1]
    after = _skip(text, end)
    return end if end > start and text[after : after + 1] in _ENDS else _end_by_brackets(text, start)


def _scanned(text: str, start: int) -> tuple[Any, int]:
    try:
        return _SCAN(text, start)
    except (ValueError, RecursionError):
        return None, start


def _end_by_brackets(text: str, start: int) -> int:
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
    depth = 0
    for _ in range(MOST_BRACKETS):
        brackets = _TO_BRACKETS.match(text, position)
        if brackets is None:
            break
        count = len(brackets[1])
        opens = brackets[1][0] in "[{"
        if not opens and count >= depth:
            return brackets.start(1) + depth
        depth += count if opens else -count
        position = brackets.end()
    raise _unreadable(position)
