"""Bodies: unpacked, their JSON decoded, or said where and why that cannot be; no value is repeated.

A client's ``content_encoding`` holds codings (RFC 9110 §8.4.1, RFC 8878), a character set, a word for neither, or
several of these, joined by a colon or a comma. What is JSON and more than ``orjson`` takes (RFC 8259 §8.2, §6, §9) is
told apart from what is no JSON, and the sender finds the place.
"""

from __future__ import annotations

import codecs
import gzip
import io
import json
import math
import re
import zlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from encodings.aliases import aliases
from typing import Any, BinaryIO, Final, NoReturn, cast

import orjson
import zstandard

from bridge.domain.fields import DEEPEST
from bridge.domain.statements.dispositions import BadBody, BodyTooLarge, Reason, UnreadableBody
from bridge.domain.statements.json_parts import elements, is_balanced, members
from schemas import property_names, xapi
from schemas.messages import MEMBER

_MOST_MEMORY: Final = 64 * 2**20  # bytes of memory that a JSON text may become: 8 MB of brackets would become 400

_VALUE_SIZES: Final = {b"[": 96, b"{": 250, b",": 80}
"""What opens a value, or is before the next → bytes that the value takes in memory, measured."""

_FEWER: Final = "a body of fewer values was expected"


class Unkeepable(BadBody):
    """What was read is JSON that cannot be kept: ``pointer`` (RFC 6901) says where, ``expected`` what should be."""

    reason = Reason.INVALID_STATEMENT

    def __init__(self, pointer: str, expected: str) -> None:
        super().__init__(f"{pointer or '/'}: {expected} was expected")
        self.pointer = pointer
        self.expected = expected


def unpacked(body: bytes, limit: int, content_encoding: str | None = None, content_type: str | None = None) -> bytes:
    """Return a body as UTF-8, without byte order mark, as its properties say that it was packed and encoded.

    Never unpacks more than ``limit`` bytes. Raises ``BodyTooLarge`` or ``UnreadableBody``, which names what would be
    taken.
    """
    _check_size(body, limit, "")
    codings, codec = _declared(content_encoding)
    text = _in_utf8(_undone(body, codings, limit), codec or _declared_by(content_type))
    _check_size(text, limit, " after unpacking")
    _check_beginning(text)
    return text.removeprefix(codecs.BOM_UTF8)


def decoded(body: bytes) -> object:
    """Parse JSON; raises ``UnreadableBody`` for what is none, and ``Unkeepable``.

    Raises ``BodyTooLarge`` for so many values that they would fill the memory.
    """
    if _is_heavy(body):
        raise BodyTooLarge(_FEWER)
    try:
        return _loaded(body)
    except orjson.JSONDecodeError as error:
        # The decoder's own text can quote the body; where it stumbled cannot.
        _refuse(body, error.pos)
    except orjson.JSONEncodeError:
        raise Unkeepable(_place(body)[0], _DEEP) from None


def lenient(body: bytes) -> object:
    """Parse JSON as far as it can be shown: what ``decoded`` refuses has gaps. Raises ``UnreadableBody``."""
    if _is_heavy(body):
        raise UnreadableBody(_FEWER)
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError:
        pass
    try:
        text = json.dumps(_LENIENT.decode(body.decode("utf-8", "replace")), ensure_ascii=False)
        return orjson.loads(text.encode("utf-8", "replace"))
    except (ValueError, RecursionError):
        raise UnreadableBody("JSON was expected") from None


def is_array(body: bytes) -> bool:
    """Say whether a text begins as an array does."""
    return body.lstrip(b" \t\r\n").startswith(b"[")


def _is_heavy(body: bytes) -> bool:
    """Say whether a JSON text has so many values that they would fill the memory; marks in strings are counted, too."""
    return len(body) + sum(size * body.count(mark) for mark, size in _VALUE_SIZES.items()) > _MOST_MEMORY


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
            codec = _codec_of(name.removeprefix("charset="))
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
    packing = coding or ("utf-16" if _is_wide(text) else None)
    if packing:
        raise UnreadableBody(f"JSON was expected; the body looks like {packing}: set the content encoding {packing}")


_PARAMETER: Final = re.compile(r""";\s*charset\s*=\s*["']?([^\s;"']+)""", re.IGNORECASE)
_CODECS: Final = {
    name: codec
    for alias, codec in aliases.items()
    for name in (alias, codec)
    if not codec.endswith("_codec") and codec not in {"mbcs", "rot_13"}  # those are no character sets
}
_BOMS: Final = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE, codecs.BOM_UTF32_BE)  # that of UTF-32LE begins as UTF-16LE's


def _codec_of(charset: str) -> str | None:
    """Return Python's name of a character set; None when it is not known."""
    return _CODECS.get(re.sub(r"[^a-z0-9]+", "_", charset.lower()))


def _declared_by(content_type: str | None) -> str | None:
    """Return the codec of a media type's parameter ``charset``, if it has one that is known."""
    parameter = _PARAMETER.search(content_type or "")
    return _codec_of(parameter[1]) if parameter else None


def _is_wide(body: bytes) -> bool:
    """Say whether a JSON text is UTF-16 or UTF-32: it begins with ASCII, so that either shows."""
    return body.startswith(_BOMS) or b"\0" in body[:4]


def _in_utf8(body: bytes, codec: str | None) -> bytes:
    """Return a body that was declared to be of a character set in UTF-8; raises ``UnreadableBody``.

    What is UTF-8 in spite of what was declared stays as it is: many clients declare a default of theirs.
    """
    if codec is None or codec in {"ascii", "utf_8"}:
        return body
    wide = codec.startswith(("utf_16", "utf_32"))
    if (not _is_wide(body)) if wide else _is_utf8(body):
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


_LEVELS, _LENGTH = 8, 2**18
"""Levels, and bytes, in which the place of a fault is looked for: a statement has as many levels of its own."""

_KNOWN: Final = xapi.PROPERTIES | frozenset(property_names(MEMBER))
_DEEP: Final = f"JSON that is nested at most {DEEPEST} levels deep"
_TEXT: Final = "a text of whole characters, with no surrogate alone (half an emoji, for example)"
_NUMBER: Final = "a number that a 64-bit float can hold"


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
