"""Bodies unpacked: content codings and character sets as AMQP clients really set them, within a bound.

A client's ``content_encoding`` holds codings (RFC 9110 §8.4.1, RFC 8878), a character set, a word for neither, or
several of these, joined by a colon or a comma.
"""

from __future__ import annotations

import codecs
import gzip
import io
import re
import zlib
from collections.abc import Callable, Iterable, Sequence
from encodings.aliases import aliases
from typing import BinaryIO, ClassVar, Final, cast

import zstandard

from bridge.domain.statements.dispositions import Reason

MOST_UNFOLDED: Final = 64 * 2**20  # bytes of memory that a JSON text may become: 8 MB of brackets would become 400

UNFOLDED: Final = {b"[": 96, b"{": 250, b",": 80}
"""What opens a value, or is before the next → bytes that the value takes in memory, measured."""

FEWER: Final = "a body of fewer values was expected"

MOST_STATEMENTS = 500
"""Statements that one message may hold (api.md, AMQP in)."""


class BadBody(Exception):
    """A body that is not taken: ``reason`` is that of its dead letter; the text says what was expected."""

    reason: ClassVar[Reason]


class UnreadableBody(BadBody):
    """The body is not JSON in a known encoding; the text says what was expected and quotes nothing."""

    reason = Reason.NOT_JSON


class BodyTooLarge(BadBody):
    """The body, or what it unpacks to, or the number of statements, is over the limit."""

    reason = Reason.TOO_LARGE


def is_heavy(body: bytes) -> bool:
    """Say whether a JSON text has so many values that they would fill the memory; marks in strings are counted, too."""
    return len(body) + sum(size * body.count(mark) for mark, size in UNFOLDED.items()) > MOST_UNFOLDED


_PARAMETER: Final = re.compile(r""";\s*charset\s*=\s*["']?([^\s;"']+)""", re.IGNORECASE)
_CODECS: Final = {
    name: codec
    for alias, codec in aliases.items()
    for name in (alias, codec)
    if not codec.endswith("_codec") and codec not in {"mbcs", "rot_13"}  # those are no character sets
}
_BOMS: Final = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE, codecs.BOM_UTF32_BE)  # that of UTF-32LE begins as UTF-16LE's


def codec_of(charset: str) -> str | None:
    """Return Python's name of a character set; None when it is not known."""
    return _CODECS.get(re.sub(r"[^a-z0-9]+", "_", charset.lower()))


def declared_by(content_type: str | None) -> str | None:
    """Return the codec of a media type's parameter ``charset``, if it has one that is known."""
    parameter = _PARAMETER.search(content_type or "")
    return codec_of(parameter[1]) if parameter else None


def is_wide(body: bytes) -> bool:
    """Say whether a JSON text is UTF-16 or UTF-32: it begins with ASCII, so that either shows."""
    return body.startswith(_BOMS) or b"\0" in body[:4]


def in_utf8(body: bytes, codec: str | None) -> bytes:
    """Return a body that was declared to be of a character set in UTF-8; raises ``UnreadableBody``.

    What is UTF-8 in spite of what was declared stays as it is: many clients declare a default of theirs.
    """
    if codec is None or codec in {"ascii", "utf_8"}:
        return body
    wide = codec.startswith(("utf_16", "utf_32"))
    if (not is_wide(body)) if wide else _is_utf8(body):
        return body
    if codec in {"utf_16", "utf_32"} and not body.startswith(_BOMS):
        codec += "_be" if body.startswith(b"\0") else "_le"
    try:
        return body.decode(codec, "surrogatepass" if wide else "strict").encode("utf-8", "surrogatepass")
    except UnicodeDecodeError:
        raise UnreadableBody(f"a body in the character set {codec}, as its properties say, was expected") from None


def _is_utf8(body: bytes) -> bool:
    try:
        body.decode()
    except UnicodeDecodeError:
        return False
    return True


_NEITHER: Final = frozenset({"", "identity", "none", "binary", "7bit", "8bit"})
_ALIASES: Final = {"x-gzip": "gzip", "zlib": "deflate", "x-deflate": "deflate", "x-zstd": "zstd"}
_MOST_CODINGS: Final = 4
_SEPARATORS: Final = re.compile(r"[,:;\s]+")
_TAKEN: Final = "the content encoding gzip, deflate or zstd, none, or a character set that is known was expected"
_BEGINNINGS: Final = {
    b"\x1f\x8b": "gzip",
    zstandard.FRAME_HEADER: "zstd",
    **dict.fromkeys((b"\x78\x01", b"\x78\x5e", b"\x78\x9c", b"\x78\xda"), "deflate"),
}
"""How packed bodies begin, and no JSON does."""


def unpacked(body: bytes, limit: int, content_encoding: str | None = None, content_type: str | None = None) -> bytes:
    """Return a body as UTF-8, without byte order mark, as its properties say that it was packed and encoded.

    Never unpacks more than ``limit`` bytes. Raises ``BodyTooLarge`` or ``UnreadableBody``, which names what would be
    taken.
    """
    _check_size(body, limit, "")
    codings, codec = _declared(content_encoding)
    text = in_utf8(_undone(body, codings, limit), codec or declared_by(content_type))
    _check_size(text, limit, " after unpacking")
    _check_beginning(text)
    return text.removeprefix(codecs.BOM_UTF8)


def _check_size(body: bytes, limit: int, when: str) -> None:
    if len(body) > limit:
        raise BodyTooLarge(f"at most {limit} bytes{when} were expected")


def _declared(content_encoding: str | None) -> tuple[list[str], str | None]:
    """Return the codings, in their order, and the codec of the character set, if any."""
    codings: list[str] = []
    codec = None
    for token in _SEPARATORS.split((content_encoding or "").strip().lower()):
        name = _ALIASES.get(token, token)
        if name in _OPENERS:
            codings.append(name)
        elif name not in _NEITHER:
            codec = codec_of(name.removeprefix("charset="))
            if codec is None:
                raise UnreadableBody(_TAKEN)
    if len(codings) > _MOST_CODINGS:
        raise UnreadableBody(f"at most {_MOST_CODINGS} content codings were expected")
    return codings, codec


def _undone(body: bytes, codings: Sequence[str], limit: int) -> bytes:
    """Undo codings, the last one first (RFC 9110 §8.4); where that fails, the first one first, as some list them."""
    try:
        return _opened(body, reversed(codings), limit)
    except UnreadableBody:
        if len(set(codings)) < 2:
            raise
        return _opened(body, codings, limit)


def _opened(body: bytes, codings: Iterable[str], limit: int) -> bytes:
    for coding in codings:
        try:
            body = _OPENERS[coding](body, limit + 1)
        except (OSError, EOFError, zlib.error, zstandard.ZstdError) as error:
            raise UnreadableBody(f"the body is not {coding}, as its content encoding says that it is") from error
        _check_size(body, limit, " after unpacking")
    return body


def _gunzip(body: bytes, max_bytes: int) -> bytes:
    with gzip.GzipFile(fileobj=io.BytesIO(body)) as stream:
        return stream.read(max_bytes)


def _inflate(body: bytes, max_bytes: int) -> bytes:
    """Undo ``deflate``: zlib's format (RFC 9110 §8.4.1.2), or the bare stream that some send."""
    try:
        return _inflated(body, max_bytes, zlib.MAX_WBITS)
    except zlib.error:
        return _inflated(body, max_bytes, -zlib.MAX_WBITS)


def _inflated(body: bytes, max_bytes: int, window: int) -> bytes:
    stream = zlib.decompressobj(window)
    content = stream.decompress(body, max_bytes)
    if len(content) < max_bytes and (not stream.eof or stream.unused_data):
        raise zlib.error
    return content


def _unzstd(body: bytes, max_bytes: int) -> bytes:
    reader = zstandard.ZstdDecompressor(max_window_size=2**27).stream_reader(io.BytesIO(body), read_across_frames=True)
    with cast("BinaryIO", reader) as stream:
        return stream.read(max_bytes)


_OPENERS: Final[dict[str, Callable[[bytes, int], bytes]]] = {"gzip": _gunzip, "deflate": _inflate, "zstd": _unzstd}


def _check_beginning(text: bytes) -> None:
    """Say what a body seems to be that is packed or encoded otherwise than its properties say."""
    coding = next((name for beginning, name in _BEGINNINGS.items() if text.startswith(beginning)), None)
    packing = coding or ("utf-16" if is_wide(text) else None)
    if packing:
        raise UnreadableBody(f"JSON was expected; the body looks like {packing}: set the content encoding {packing}")
