"""One page of another LRS's answer to ``GET statements`` (xAPI Communication §2.1.3), each statement byte for byte."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any, cast

from bridge.domain import bodies


@dataclass(frozen=True, slots=True)
class Result:
    """A StatementResult: the statements as sent, the link to the next page (empty: none), the last ``stored`` time."""

    statements: list[bytes]
    more: str
    last_stored: str | None


def statement_result(body: bytes) -> Result:
    """Read a StatementResult; raises ``UnreadableBody`` or ``BodyTooLarge``."""
    value = bodies.decoded(body)
    if not isinstance(value, dict):
        raise bodies.UnreadableBody("a StatementResult, which is an object, was expected")
    found = cast("dict[str, Any]", value)
    statements, more = found.get("statements"), found.get("more", "")
    if not isinstance(statements, list) or not isinstance(more, str):
        raise bodies.UnreadableBody("a StatementResult with statements, a list, and more, a text, was expected")
    listed = cast("list[Any]", statements)
    last = cast("dict[str, Any]", listed[-1]).get("stored") if listed and isinstance(listed[-1], dict) else None
    return Result(bodies.elements(_statements(body.decode())), more, last if isinstance(last, str) else None)


def _statements(text: str) -> bytes:
    """Return the text of the ``statements`` property: a decoder would change numbers; the last of several counts."""
    scan = json.JSONDecoder(parse_int=str, parse_float=str).raw_decode
    found = ""
    position = _skip(text, text.index("{") + 1)
    while text[position] != "}":
        name, end = scan(text, position)
        start = _skip(text, _skip(text, end) + 1)  # past the colon
        end = scan(text, start)[1]
        if name == "statements":
            found = text[start:end]
        position = _skip(text, end)
        if text[position] == ",":
            position = _skip(text, position + 1)
    return found.encode()


def _skip(text: str, position: int) -> int:
    while text[position] in " \t\r\n":
        position += 1
    return position
