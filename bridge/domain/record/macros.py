"""Macros in documents: looks into the archives that .docx and .odt files are, wherever their format can name code.

Nothing is unpacked to keep. The list of contents says where a part is; of the few parts that can name code, each is
inflated and read piece by piece, up to a bound.
"""

from __future__ import annotations

import io
import re
import struct
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final
from urllib.parse import unquote
from xml.parsers import expat  # nosec B407 - no DTD is let through, and the size is bounded

MOST_READ: Final = 32 * 2**20  # bytes that one part may have, inflated; a text of a thousand pages has less

MOST_PACKED: Final = 4 * 2**20
"""Bytes that the parts to read may have together, as they are packed: they may not be one part many times over."""

LOCAL_HEADER: Final = 30
LONGEST_HEADER: Final = LOCAL_HEADER + 2 * 0xFFFF
PIECE: Final = 64 * 1024

SCRIPT: Final = "urn:oasis:names:tc:opendocument:xmlns:script:1.0"
OFFICE_SCRIPT: Final = "urn:oasis:names:tc:opendocument:xmlns:office:1.0 script"

_VBA_NAME = re.compile(r"vba(project|data)", re.IGNORECASE)
_VBA_TYPE = re.compile(r"vba|macro", re.IGNORECASE)
_SCRIPT_LINK = re.compile(r"\s*(vnd\.sun\.star\.script|macro|script):", re.IGNORECASE)
_SCRIPT_FOLDERS: Final = {"basic", "dialogs", "scripts"}


class NotAnArchive(ValueError):
    """The file cannot be read as an archive of this kind."""


class HasMacros(ValueError):
    """A document with macros, or with what calls some."""


@dataclass(frozen=True, slots=True)
class Part:
    """A part of an archive: where its local header begins, how long all of it can be at most, and how it is packed."""

    name: str
    start: int
    length: int
    packed_size: int
    method: int

    def content(self, raw: bytes) -> Iterator[bytes]:
        """Give the part's content from the file's bytes between ``start`` and its end; raises ``NotAnArchive``."""
        if raw[:4] != b"PK\x03\x04" or len(raw) < LOCAL_HEADER:
            raise NotAnArchive
        begin = LOCAL_HEADER + sum(struct.unpack_from("<HH", raw, 26))
        data = raw[begin : begin + self.packed_size]
        if self.method == zipfile.ZIP_STORED:
            yield data
        elif self.method == zipfile.ZIP_DEFLATED:
            yield from _inflated(data)
        else:
            raise NotAnArchive


def _inflated(data: bytes) -> Iterator[bytes]:
    inflating, budget = zlib.decompressobj(-zlib.MAX_WBITS), MOST_READ
    while data and not inflating.eof:
        try:
            piece = inflating.decompress(data, PIECE)
        except zlib.error:
            raise NotAnArchive from None
        budget -= len(piece)
        if budget < 0:
            raise NotAnArchive
        yield piece
        data = inflating.unconsumed_tail
    yield inflating.flush()


def parts(tail: bytes, size: int) -> list[Part]:
    """Return the parts of an archive of ``size`` bytes that ends in ``tail``; raises ``NotAnArchive``."""
    try:
        entries = zipfile.ZipFile(io.BytesIO(tail)).infolist()
    except (zipfile.BadZipFile, ValueError, NotImplementedError, OverflowError, struct.error):
        raise NotAnArchive from None
    # Their places are told from the tail on.
    archive_parts = [_part(entry, size - len(tail), size) for entry in entries]
    if not all(0 <= part.start < size for part in archive_parts):
        raise NotAnArchive
    return archive_parts


def _part(entry: zipfile.ZipInfo, before: int, size: int) -> Part:
    name = unquote(entry.filename).replace("\\", "/").lstrip("/")
    start, packed_size = entry.header_offset + before, entry.compress_size
    return Part(name, start, min(LONGEST_HEADER + packed_size, size - start), packed_size, entry.compress_type)


def to_read_of_word(archive_parts: list[Part]) -> list[Part]:
    """Return the parts of a Word document that say what the others are; raises ``HasMacros`` for a telling name.

    Names count without case (ECMA-376 part 2 §6.2.2), and a part may be there twice.
    """
    if any(_VBA_NAME.search(part.name) for part in archive_parts):
        raise HasMacros
    if any(
        part.name.endswith(".piece") for part in archive_parts
    ):  # in pieces (§7.2.3), as no word processor writes it
        raise NotAnArchive
    return _bounded([part for part in archive_parts if _ends(part, "[content_types].xml") or _ends(part, ".rels")])


def to_read_of_open_document(archive_parts: list[Part]) -> list[Part]:
    """Return the parts of an OpenDocument file that can call scripts; raises ``HasMacros`` for a folder of scripts."""
    if any(_SCRIPT_FOLDERS & set(part.name.casefold().split("/")[:-1]) for part in archive_parts):
        raise HasMacros
    return _bounded([part for part in archive_parts if _ends(part, "content.xml") or _ends(part, "styles.xml")])


def _bounded(to_read: list[Part]) -> list[Part]:
    if sum(LOCAL_HEADER + part.packed_size for part in to_read) > MOST_PACKED:
        raise NotAnArchive
    return to_read


def _ends(part: Part, ending: str) -> bool:
    return part.name.casefold().endswith(ending)


def refuse_macros(part: Part, raw: bytes) -> None:
    """Read a part of either format; raises ``HasMacros``, or ``NotAnArchive`` for what is not XML without a DTD."""
    parser = expat.ParserCreate(namespace_separator=" ")
    parser.StartElementHandler = _refuse_code
    parser.StartDoctypeDeclHandler = _refuse_doctype
    try:
        for piece in part.content(raw):
            parser.Parse(piece, False)
        parser.Parse(b"", True)
    except expat.ExpatError:
        raise NotAnArchive from None


def _refuse_doctype(*_: object) -> None:
    raise NotAnArchive


def _refuse_code(name: str, attributes: Mapping[str, str]) -> None:
    types = (attributes.get("ContentType", ""), attributes.get("Type", ""))
    is_script = name == OFFICE_SCRIPT or name.startswith(f"{SCRIPT} ")
    calls_script = any(_SCRIPT_LINK.match(value) for key, value in attributes.items() if key.endswith(" href"))
    if is_script or calls_script or any(_VBA_TYPE.search(kind) for kind in types):
        raise HasMacros
