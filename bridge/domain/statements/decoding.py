"""JSON decoded, or said where and why it cannot be: the sender finds the place, and no value is repeated.

What is JSON and more than ``orjson`` takes (RFC 8259 §8.2, §6, §9) is told apart from what is no JSON.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Iterator
from typing import Any, Final, NoReturn

import orjson

from bridge.domain.fields import DEEPEST
from bridge.domain.statements.dispositions import Reason
from bridge.domain.statements.unpacking import FEWER, MOST_STATEMENTS, BadBody, BodyTooLarge, UnreadableBody, is_heavy
from schemas import property_names, xapi
from schemas.messages import MEMBER

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


def is_balanced(body: bytes) -> bool:
    """Say whether the bracket that a text begins with is closed at its end."""
    text = _text(body)
    try:
        return _skip(text, _past_brackets(text, _skip(text, 0))) == len(text)
    except UnreadableBody:
        return False


def elements(body: bytes, limit: int | None = MOST_STATEMENTS) -> list[bytes]:
    """Return the elements of an array; raises ``UnreadableBody``, and ``BodyTooLarge`` for more than ``limit``.

    One that would fill the memory is split by its brackets, as far as they can be counted.
    """
    heavy, text = is_heavy(body), _text(body)
    parts: list[bytes] = []
    try:
        for start, end in _parts(text, "[", "]", _end_by_brackets if heavy else _end):
            if len(parts) == limit:
                raise BodyTooLarge(f"at most {limit} statements in one message were expected")
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


_LEVELS, _LENGTH = 8, 2**18
"""Levels, and bytes, in which the place of a fault is looked for: a statement has as many levels of its own."""

_KNOWN: Final = xapi.PROPERTIES | frozenset(property_names(MEMBER))
_DEEP: Final = f"JSON that is nested at most {DEEPEST} levels deep"
_TEXT: Final = "a text of whole characters, with no surrogate alone (half an emoji, for example)"
_NUMBER: Final = "a number that a 64-bit float can hold"


class Unkeepable(BadBody):
    """What was read is JSON that cannot be kept: ``pointer`` (RFC 6901) says where, ``expected`` what should be."""

    reason = Reason.INVALID_STATEMENT

    def __init__(self, pointer: str, expected: str) -> None:
        super().__init__(f"{pointer or '/'}: {expected} was expected")
        self.pointer = pointer
        self.expected = expected


def decoded(body: bytes) -> object:
    """Parse JSON; raises ``UnreadableBody`` for what is none, and ``Unkeepable``.

    Raises ``BodyTooLarge`` for so many values that they would fill the memory.
    """
    if is_heavy(body):
        raise BodyTooLarge(FEWER)
    try:
        return _loaded(body)
    except orjson.JSONDecodeError as error:
        # The decoder's own text can quote the body; where it stumbled cannot.
        _refuse(body, error.pos)
    except orjson.JSONEncodeError:
        raise Unkeepable(_place(body)[0], _DEEP) from None


def lenient(body: bytes) -> object:
    """Parse JSON as far as it can be shown: what ``decoded`` refuses has gaps. Raises ``UnreadableBody``."""
    if is_heavy(body):
        raise UnreadableBody(FEWER)
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError:
        pass
    try:
        text = json.dumps(_LENIENT.decode(body.decode("utf-8", "replace")), ensure_ascii=False)
        return orjson.loads(text.encode("utf-8", "replace"))
    except (ValueError, RecursionError):
        raise UnreadableBody("JSON was expected") from None


def _finite(number: str) -> int | float | None:
    value = float(number)
    whole = number.lstrip("-").isdigit() and len(number) < 20  # what orjson reads as an integer
    return int(number) if whole else value if math.isfinite(value) else None


def _no_constant(_: str) -> None:
    raise ValueError


_STRICT: Final = json.JSONDecoder(parse_int=float, parse_constant=_no_constant)
_LENIENT: Final = json.JSONDecoder(strict=False, parse_int=_finite, parse_float=_finite, parse_constant=lambda _: None)


def _loaded(body: bytes, around: int = 0) -> object:
    """Return what can be read, and written again inside of so many levels; raises the errors of ``orjson``."""
    value = outer = orjson.loads(body)
    for _ in range(around + 2):
        outer = [outer]
    orjson.dumps(outer)
    return value


def _refuse(body: bytes, position: int) -> NoReturn:
    where, part = _place(body)
    try:
        value: Any = _STRICT.decode(part.decode())
        json.dumps(value, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        raise Unkeepable(where, _TEXT) from None
    except RecursionError:
        if is_balanced(body):
            raise Unkeepable(where, _DEEP) from None
    except ValueError:  # no JSON, or no UTF-8
        pass
    else:
        raise Unkeepable(where, _NUMBER if _is_writable(value) else _DEEP)
    raise UnreadableBody(f"{where + ': ' if where else ''}JSON was expected; reading failed at character {position}")


def _is_writable(value: object) -> bool:
    try:
        orjson.dumps(value)
    except orjson.JSONEncodeError:
        return False
    return True


def _place(body: bytes) -> tuple[str, bytes]:
    """Return where the first part that cannot be taken is, as a pointer, and that part.

    The pointer leads no further than names that tell of nobody: those of the specification, and IRIs.
    """
    path: list[str | int] = []
    tells_nobody = True
    for depth in range(_LEVELS):
        child = next((child for child in _children(body) if not _is_taken(child[1], depth + 1)), None)
        if child is None:
            break
        name, body = child
        tells_nobody = tells_nobody and (isinstance(name, int) or _tells_nobody(name))
        if tells_nobody:
            path.append(name)
    return xapi.pointer(path), body


def _children(body: bytes) -> Iterator[tuple[str | int, bytes]]:
    try:
        if len(body) > _LENGTH:
            return
        if is_array(body):
            yield from enumerate(elements(body, limit=None))
        else:
            yield from members(body).items()
    except UnreadableBody:  # it has no parts, or they cannot be told apart
        return


def _is_taken(body: bytes, around: int) -> bool:
    try:
        _loaded(body, around)
    except (orjson.JSONDecodeError, orjson.JSONEncodeError):
        return False
    return True


def _tells_nobody(name: str) -> bool:
    return name in _KNOWN or ("@" not in name and xapi.fits_part("iri", name))
