"""Message bodies: unpacked within a bound, and split into the statements they hold, each byte for byte."""

from __future__ import annotations

import codecs
import gzip
import io
import json
import zlib
from collections.abc import Callable
from typing import BinaryIO, cast

import orjson
import zstandard

MOST_STATEMENTS = 500
"""Statements that one message may hold (api.md, AMQP in)."""


MOST_UNFOLDED = 64 * 2**20
"""Bytes of memory that a JSON text may become: 8 MB of brackets would become 400."""

UNFOLDED = {b"[": 96, b"{": 250, b",": 80}
"""What opens a value, or is before the next → bytes that the value takes in memory, measured."""


class UnreadableBody(Exception):
    """The body is not JSON in a known encoding; the text says what was expected and quotes nothing."""


class BodyTooLarge(Exception):
    """The body, or what it unpacks to, or the number of statements, is over the limit."""


class TooDeep(Exception):
    """What was read is nested more deeply than it can be written again (254 levels), or split."""

    def __init__(self) -> None:
        super().__init__("/: an object that is not nested deeply was expected")


def unpacked(body: bytes, encoding: str | None, limit: int) -> bytes:
    """Undo a ``gzip`` or ``zstd`` content encoding (RFC 9110 §8.4.1, RFC 8878) and a UTF-8 byte order mark.

    Never unpacks more than ``limit`` bytes. Raises ``BodyTooLarge`` or ``UnreadableBody``.
    """
    if len(body) > limit:
        raise BodyTooLarge(f"at most {limit} bytes were expected")
    if encoding is not None and encoding in _OPENERS:
        body = _read(_OPENERS[encoding](body), encoding, limit)
    elif encoding not in (None, "", "identity", "utf-8"):
        raise UnreadableBody("the content encoding gzip, zstd or none was expected")
    return body.removeprefix(codecs.BOM_UTF8)


def _read(stream: BinaryIO, encoding: str, limit: int) -> bytes:
    try:
        with stream:
            body = stream.read(limit + 1)
    except (OSError, EOFError, zlib.error, zstandard.ZstdError) as error:
        raise UnreadableBody(f"a body encoded as {encoding}, as its content encoding says, was expected") from error
    if len(body) > limit:
        raise BodyTooLarge(f"at most {limit} bytes after unpacking were expected")
    return body


def _zstd(body: bytes) -> BinaryIO:
    opened = zstandard.ZstdDecompressor(max_window_size=2**27).stream_reader(io.BytesIO(body), read_across_frames=True)
    return cast("BinaryIO", opened)


def _gzip(body: bytes) -> BinaryIO:
    return cast("BinaryIO", gzip.GzipFile(fileobj=io.BytesIO(body)))


_OPENERS: dict[str, Callable[[bytes], BinaryIO]] = {"gzip": _gzip, "zstd": _zstd}


def decoded(body: bytes) -> object:
    """Parse JSON; raises ``UnreadableBody``, or ``BodyTooLarge`` for so many values that they would fill the memory."""
    if unfolded(body) > MOST_UNFOLDED:
        raise BodyTooLarge("a body of fewer values was expected")
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError as error:
        # The decoder's own text can quote the body; where it stumbled cannot.
        raise UnreadableBody(f"JSON was expected; reading failed at character {error.pos}") from None


def unfolded(body: bytes) -> int:
    """Return how many bytes of memory a JSON text becomes at most, about; what stands in strings is counted, too."""
    return len(body) + sum(size * body.count(mark) for mark, size in UNFOLDED.items())


def elements(body: bytes) -> list[bytes]:
    """Split the text of a JSON array, known to be well-formed, into the bytes of its elements.

    Raises ``BodyTooLarge`` for more than 500, and ``TooDeep``.
    """
    try:
        return _elements(body)
    except RecursionError:
        raise TooDeep from None


def _elements(body: bytes) -> list[bytes]:
    text = body.decode()
    scan = json.JSONDecoder(parse_int=str, parse_float=str).raw_decode
    found: list[bytes] = []
    position = _skip(text, text.index("[") + 1)
    while text[position] != "]":
        if len(found) == MOST_STATEMENTS:
            raise BodyTooLarge(f"at most {MOST_STATEMENTS} statements in one message were expected")
        end = scan(text, position)[1]
        found.append(text[position:end].encode())
        position = _skip(text, end)
        if text[position] == ",":
            position = _skip(text, position + 1)
    return found


def _skip(text: str, position: int) -> int:
    while text[position] in " \t\r\n":
        position += 1
    return position
