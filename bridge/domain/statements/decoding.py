"""JSON decoded, or said where and why it cannot be: the sender finds the place, and no value is repeated.

``orjson`` takes what of JSON is interoperable (RFC 8259 §8.2, §6, §9): whole characters, numbers that a 64-bit float
holds, some depth. What is JSON and more than that is told apart from what is no JSON.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from typing import Any, Final, NoReturn

import orjson

from bridge.domain.statements import splitting
from bridge.domain.statements.bodies import FEWER, BadBody, BodyTooLarge, UnreadableBody, is_heavy
from bridge.domain.statements.dispositions import Reason
from bridge.domain.statements.nesting import DEEPEST
from schemas import property_names, xapi
from schemas.messages import MEMBER

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
    value = wrapped = orjson.loads(body)
    for _ in range(around + 2):
        wrapped = [wrapped]
    orjson.dumps(wrapped)
    return value


def _refuse(body: bytes, position: int) -> NoReturn:
    where, part = _place(body)
    try:
        value: Any = _STRICT.decode(part.decode())
        json.dumps(value, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        raise Unkeepable(where, _TEXT) from None
    except RecursionError:
        if splitting.is_balanced(body):
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
        if splitting.is_array(body):
            yield from enumerate(splitting.elements(body, most=None))
        elif splitting.is_object(body):
            yield from splitting.members(body).items()
    except UnreadableBody:  # its parts cannot be told apart
        return


def _is_taken(body: bytes, around: int) -> bool:
    try:
        _loaded(body, around)
    except (orjson.JSONDecodeError, orjson.JSONEncodeError):
        return False
    return True


def _tells_nobody(name: str) -> bool:
    return name in _KNOWN or ("@" not in name and xapi.fits_part("iri", name))
