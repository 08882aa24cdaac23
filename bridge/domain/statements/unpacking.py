"""Bodies unpacked: content codings and character sets as AMQP clients really set them, within a bound.

A client's ``content_encoding`` holds what HTTP's header of that name does (RFC 9110 §8.4.1, RFC 8878), a character set,
a word for neither, or several of these: a Java framework joins its own coding to what was there by a colon or a comma.
"""

from __future__ import annotations

import codecs
import gzip
import io
import re
import zlib
from collections.abc import Callable, Iterable, Sequence
from typing import BinaryIO, Final, cast

import zstandard

from bridge.domain.statements import charsets
from bridge.domain.statements.bodies import BodyTooLarge, UnreadableBody

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
    text = charsets.in_utf8(_undone(body, codings, limit), codec or charsets.declared_by(content_type))
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
            codec = charsets.codec_of(name.removeprefix("charset="))
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


def _gunzip(body: bytes, most: int) -> bytes:
    with gzip.GzipFile(fileobj=io.BytesIO(body)) as stream:
        return stream.read(most)


def _inflate(body: bytes, most: int) -> bytes:
    """Undo ``deflate``: zlib's format (RFC 9110 §8.4.1.2), or the bare stream that some send."""
    try:
        return _inflated(body, most, zlib.MAX_WBITS)
    except zlib.error:
        return _inflated(body, most, -zlib.MAX_WBITS)


def _inflated(body: bytes, most: int, window: int) -> bytes:
    stream = zlib.decompressobj(window)
    inflated = stream.decompress(body, most)
    if len(inflated) < most and (not stream.eof or stream.unused_data):
        raise zlib.error
    return inflated


def _unzstd(body: bytes, most: int) -> bytes:
    reader = zstandard.ZstdDecompressor(max_window_size=2**27).stream_reader(io.BytesIO(body), read_across_frames=True)
    with cast("BinaryIO", reader) as stream:
        return stream.read(most)


_OPENERS: Final[dict[str, Callable[[bytes, int], bytes]]] = {"gzip": _gunzip, "deflate": _inflate, "zstd": _unzstd}


def _check_beginning(text: bytes) -> None:
    """Say what a body seems to be that is packed or encoded otherwise than its properties say."""
    coding = next((name for beginning, name in _BEGINNINGS.items() if text.startswith(beginning)), None)
    packing = coding or ("utf-16" if charsets.is_wide(text) else None)
    if packing:
        raise UnreadableBody(f"JSON was expected; the body looks like {packing}: set the content encoding {packing}")
