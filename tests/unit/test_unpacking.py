"""Content encodings and types as AMQP clients set them (RFC 9110 §8.4, RFC 8259 §8.1)."""

from __future__ import annotations

import codecs
import gzip
import zlib
from functools import partial

import pytest
import zstandard

from bridge.domain.statements.bodies import unpacked
from bridge.domain.statements.dispositions import BodyTooLarge, UnreadableBody

TEXT = '{"name": "Gofal a Diogelu, café 🎓"}'
BODY = TEXT.encode()
LATIN = '{"name": "café"}'


def raw_deflate(body: bytes) -> bytes:
    """Pack without zlib's header."""
    packer = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    return packer.compress(body) + packer.flush()


pack = partial(gzip.compress, mtime=0)  # the same bytes in every process that collects these tests

READ: list[tuple[str | None, str | None, bytes]] = [
    (None, None, BODY),
    (None, None, codecs.BOM_UTF8 + BODY),
    ("", "", BODY),
    *((word, "application/json", BODY) for word in ("UTF-8", "utf8", "Utf_8", "binary", "identity", "us-ascii")),
    ("iso-8859-1", None, BODY),
    ("utf-16", None, BODY),
    *((word, None, pack(BODY)) for word in ("gzip", "GZIP", "x-gzip", " gzip ", "gzip:UTF-8", "gzip,UTF-8")),
    *((word, None, pack(BODY)) for word in ("utf-8, gzip", "gzip, identity", "gzip; charset=utf-8")),
    *((word, None, zlib.compress(BODY)) for word in ("deflate", "DEFLATE", "zlib", "deflate:utf-8")),
    ("deflate", None, zlib.compress(BODY, 1)),
    ("deflate", None, raw_deflate(BODY)),
    ("zstd", None, zstandard.compress(BODY)),
    ("deflate, gzip", None, pack(zlib.compress(BODY))),
    ("gzip:deflate:utf-8", None, pack(zlib.compress(BODY))),
    ("gzip, gzip", None, pack(pack(BODY))),
    ("gzip", "application/json; charset=utf-16", pack(TEXT.encode("utf-16"))),
    ("gzip:UTF-16", None, pack(TEXT.encode("utf-16"))),
    *((word, None, TEXT.encode(word)) for word in ("utf-16", "utf-16le", "UTF-16BE", "utf-32", "utf-32-le", "gb18030")),
    ("utf-16", None, TEXT.encode("utf-16-be")),
    ("utf-16", None, TEXT.encode("utf-16-le")),
    ("utf-16", None, codecs.BOM_UTF16_BE + TEXT.encode("utf-16-be")),
    ("utf-16le", None, codecs.BOM_UTF16_LE + TEXT.encode("utf-16-le")),
    (None, 'application/json; charset="UTF-16"', TEXT.encode("utf-16")),
    *((None, kind, BODY) for kind in ("text/plain", "application/octet-stream", "application/json;charset=utf-8")),
    (None, "text/plain; charset=made-up", BODY),
    ("utf-8", "application/json; charset=utf-16", BODY),
]


@pytest.mark.parametrize(("content_encoding", "content_type", "body"), READ)
def test_what_clients_set_is_read(content_encoding: str | None, content_type: str | None, body: bytes) -> None:
    """Codings in any case and list, words for none, and character sets in either property."""
    assert unpacked(body, 1000, content_encoding, content_type) == BODY


@pytest.mark.parametrize("charset", ["iso-8859-1", "latin1", "windows-1252", "cp1252", "ISO_8859-15"])
@pytest.mark.parametrize("content_type", [None, "text/plain; charset={}"])
def test_another_character_set_becomes_utf_8(charset: str, content_type: str | None) -> None:
    """What is no UTF-8 is what it was declared to be."""
    encoding = None if content_type else charset
    archive = LATIN.encode(charset)
    assert unpacked(archive, 1000, encoding, content_type and content_type.format(charset)) == LATIN.encode()


def test_a_lone_surrogate_in_utf_16_spoils_no_more_than_its_text() -> None:
    """It is no UTF-8 afterwards, where it stands alone."""
    body = unpacked(f'["\\ud83d{chr(0xD83D)}", 1]'.encode("utf-16", "surrogatepass"), 1000, "utf-16")
    assert body == rb'["\ud83d' + b'\xed\xa0\xbd", 1]'


@pytest.mark.parametrize(
    ("content_encoding", "body", "detail"),
    [
        *((word, b"\x0b\x02packed", "gzip, deflate or zstd") for word in ("br", "compress", "zip", "base64", "x")),
        ("gzip, br", pack(BODY), "gzip, deflate or zstd"),
        ("gzip", BODY, "not gzip"),
        ("deflate", BODY, "not deflate"),
        ("zstd", BODY, "not zstd"),
        ("gzip", pack(BODY)[:-9], "not gzip"),
        ("deflate", zlib.compress(BODY)[:-9], "not deflate"),
        ("deflate", zlib.compress(BODY) + b"more", "not deflate"),
        (None, pack(BODY), "looks like gzip: set the content encoding gzip"),
        ("utf-8", zstandard.compress(BODY), "looks like zstd: set the content encoding zstd"),
        ("binary", zlib.compress(BODY), "looks like deflate: set the content encoding deflate"),
        ("gzip", pack(pack(BODY)), "looks like gzip"),
        (None, TEXT.encode("utf-16"), "looks like utf-16: set the content encoding utf-16"),
        (None, TEXT.encode("utf-16-be"), "looks like utf-16"),
        ("shift_jis", b"\x81", "shift_jis"),
        ("utf-16", BODY.decode().encode("utf-16")[:-1], "utf_16"),
        ("gzip,gzip,gzip,gzip,gzip", BODY, "at most 4"),
    ],
)
def test_what_cannot_be_read_says_what_could(content_encoding: str | None, body: bytes, detail: str) -> None:
    """The sender is told which property to set, or that the one set is not true."""
    with pytest.raises(UnreadableBody, match=detail):
        unpacked(body, 1000, content_encoding)


@pytest.mark.parametrize("coding", ["gzip", "deflate", "zstd", "gzip, gzip", "utf-16"])
def test_no_more_is_unpacked_than_may_be(coding: str) -> None:
    """A bomb of any coding is too large, and so is what grows over the limit by its character set."""
    bomb = b" " * 5_000_000
    bodies = {
        "gzip": pack(bomb),
        "deflate": zlib.compress(bomb),
        "zstd": zstandard.compress(bomb),
        "gzip, gzip": pack(pack(bomb)),
        "utf-16": ("[" + "\u4e00" * 9_000).encode("utf-16"),
    }
    with pytest.raises(BodyTooLarge):
        unpacked(bodies[coding], 20_000, coding)
