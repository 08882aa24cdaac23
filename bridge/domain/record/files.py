"""Evidence files: the kinds taken, the documents stored, and a check of each file as it passes, never held (R66).

The ending of the name says what a file claims to be, its content has to bear that out (OWASP, file upload). An archive
is listed, and of its parts only those that can name code are read, so that it cannot blow up here.
"""

from __future__ import annotations

import codecs
import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, Literal, NotRequired, TypedDict

from filetype.types.archive import Pdf  # pyright: ignore[reportMissingTypeStubs] - the package has no types
from filetype.types.image import Jpeg, Png  # pyright: ignore[reportMissingTypeStubs] - the package has no types

from bridge.domain.list_keys import SortKey, order_key
from bridge.domain.members.members import FreezeMark
from bridge.domain.record import macros
from bridge.domain.record.macros import HasMacros, NotAnArchive, Part
from bridge.errors import FieldError, TooLarge, UnsupportedMediaType, ValidationFailed
from bridge.texts import Text, counted

HEAD: Final = 4096  # bytes looked at from the beginning
TAIL: Final = 256 * 1024  # bytes kept of the end of an archive: its list of contents, for some thousand names
_ENDING: Final = 10  # characters kept from the end of a name that is too long
MAX_NAME: Final = 200  # characters kept of a file's name, its ending included


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of file: what a person calls it, its media type, and the endings its name may have."""

    label: Text
    media_type: str
    endings: tuple[str, ...]


PDF = Kind(Text("PDF"), "application/pdf", ("pdf",))
JPEG = Kind(Text("JPEG image"), "image/jpeg", ("jpg", "jpeg"))
PNG = Kind(Text("PNG image"), "image/png", ("png",))
DOCX = Kind(Text("Word document"), "application/vnd.openxmlformats-officedocument.wordprocessingml.document", ("docx",))
ODT = Kind(Text("OpenDocument text"), "application/vnd.oasis.opendocument.text", ("odt",))
TXT = Kind(Text("plain text in UTF-8"), "text/plain", ("txt",))

KINDS: Final = (PDF, JPEG, PNG, DOCX, ODT, TXT)
TAKEN: Final = tuple(
    Text("{kind} ({endings})", kind=kind.label, endings=", ".join(f".{ending}" for ending in kind.endings))
    for kind in KINDS
)
"""The kinds in words, for the person whose file was refused."""

_OF_ENDING: Final = {ending: kind for kind in KINDS for ending in kind.endings}
_SIGNED: Final[Mapping[Kind, Any]] = {PDF: Pdf(), JPEG: Jpeg(), PNG: Png()}

_ZIP = b"PK\x03\x04"
# ODF 1.3 part 2 §3.3: the first entry is called mimetype and is not compressed; after it comes the next entry, or the
# first one's data descriptor. Without that, the mark of a template begins in the same way.
_ODT_MARK = re.compile(rb"PK\x03\x04.{22}\x08\x00..mimetype" + re.escape(ODT.media_type.encode()) + rb"PK", re.DOTALL)
_DOCX_PARTS: Final = {"[Content_Types].xml", "word/document.xml"}  # ECMA-376 part 2 §10.1.2.2, part 1 §11.3.10
_READ: Final = {DOCX: macros.to_read_of_word, ODT: macros.to_read_of_open_document}
"""Kinds that are archives, and which of their parts can name code."""

_CONTROL = re.compile(r"[\x00-\x08\x0b\x0e-\x1f\x7f-\x84\x86-\x9f]")
# Control characters, and those that turn the direction of what follows: "report<U+202E>fdp.exe" would read as a PDF.
_UNSAFE = re.compile("[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff]")
_UNITS: Final = ((2**30, "GB"), (2**20, "MB"), (2**10, "kB"))


@dataclass(frozen=True, slots=True)
class FileFacts:
    """The facts of a file once it has passed: ``size`` in bytes, ``sha256`` in hexadecimal digits."""

    name: str
    media_type: str
    size: int
    sha256: str


SORTABLE: Final = ("uploaded_at",)
"""What a list of files can be sorted by."""

EvidenceState = Literal["clean", "quarantined", "rejected"]
CLEAN: Final = "clean"
QUARANTINED: Final = "quarantined"
REJECTED: Final = "rejected"
"""What the virus scanner said of a file; without a scanner every file is clean."""

EVIDENCE_CHUNK: Final = 255 * 1024
"""Bytes of a chunk, GridFS's default: a chunk document then fits in 256 kB."""


class EvidenceFile(TypedDict):
    """A document of ``evidence.files``, in the format of GridFS."""

    _id: str
    member_id: str
    entry_id: str  # the entry that it is evidence of
    filename: str  # generated; the member's own is ``name``
    length: int  # bytes
    chunkSize: int
    uploadDate: datetime
    name: str
    media_type: str
    sha256: str  # in hexadecimal digits
    state: EvidenceState
    version: int  # the ETag's
    tried_at: datetime  # when it was last scanned, or tried to be
    order: dict[str, SortKey]  # ``uploaded_at``
    frozen: NotRequired[FreezeMark]


class EvidenceSummary(TypedDict):
    """A file as lists, entries and snapshots show it."""

    id: str
    size: int  # bytes
    uploaded_at: datetime
    name: str
    sha256: str
    media_type: str
    state: EvidenceState
    version: int


class FileChunk(TypedDict):
    """A document of ``evidence.chunks``."""

    files_id: str
    n: int  # its number in the file, from 0
    data: bytes  # ``EVIDENCE_CHUNK`` of them, fewer in the last


class LooseFile(TypedDict):
    """A document of ``evidence.loose``: chunks that are not evidence yet, or no more."""

    _id: str  # the file's id
    member_id: str
    at: datetime
    given_up: NotRequired[bool]  # True: they are to be removed, and cannot become evidence


def evidence_file(
    file_id: str, member_id: str, entry_id: str, facts: FileFacts, state: EvidenceState, at: datetime, number: int
) -> EvidenceFile:
    """Make the document of a file; ``number`` puts a member's files in the order of their upload."""
    return {
        "_id": file_id,
        "member_id": member_id,
        "entry_id": entry_id,
        "filename": file_id,
        "length": facts.size,
        "chunkSize": EVIDENCE_CHUNK,
        "uploadDate": at,
        "name": facts.name,
        "media_type": facts.media_type,
        "sha256": facts.sha256,
        "state": state,
        "version": 1,
        "tried_at": at,
        "order": {"uploaded_at": order_key(f"{number:012}")},
    }


def evidence_summary(file: EvidenceFile) -> EvidenceSummary:
    """Return a file as lists, entries and snapshots show it."""
    return {
        "id": file["_id"],
        "size": file["length"],
        "uploaded_at": file["uploadDate"],
        "name": file["name"],
        "sha256": file["sha256"],
        "media_type": file["media_type"],
        "state": file["state"],
        "version": file["version"],
    }


class Inspector:
    """The check of a file as it passes, piece by piece: size, digest, and whether it is what its name says."""

    def __init__(self, name: str, max_bytes: int) -> None:
        """Begin with the name that the member's file has; raises ``UnsupportedMediaType`` for an ending not taken."""
        self._name = safe_name(name)
        self._kind = _kind_of(self._name)
        self._max_bytes = max_bytes
        self._size = 0
        self._digest = hashlib.sha256()
        self._head = b""
        self._tail = b""
        self._text = codecs.getincrementaldecoder("utf-8")("strict")

    def take(self, data: bytes) -> None:
        """Look at the next piece; raises ``TooLarge`` or ``UnsupportedMediaType`` as soon as that is certain."""
        self._size += len(data)
        if self._size > self._max_bytes:
            raise TooLarge(Text("A file may have up to {size}; send a smaller one.", size=in_words(self._max_bytes)))
        self._digest.update(data)
        if len(self._head) < HEAD:
            self._head += data[: HEAD - len(self._head)]
            if len(self._head) == HEAD:
                self._check_head()
        self._look_on(data)

    def finish(self) -> FileFacts:
        """Return the facts at the end of the file; raises ``UnsupportedMediaType``; ``ValidationFailed`` if empty."""
        if not self._size:
            raise ValidationFailed(
                Text("The file is empty."), field_errors=[_fault(Text("The file is empty: choose another one."))]
            )
        self._check_head()
        self._look_on(b"", final=True)
        return FileFacts(self._name, self._kind.media_type, self._size, self._digest.hexdigest())

    def to_read(self) -> list[Part]:
        """Return the parts to read again once all of the file has passed, for ``look_inside``; few, and often none.

        Raises ``UnsupportedMediaType`` for what the list of contents shows.
        """
        if self._kind not in _READ:
            return []
        try:
            archive_parts = macros.parts(self._tail, self._size)
            if self._kind is DOCX and not {part.name for part in archive_parts} >= _DOCX_PARTS:
                raise self._not_as_named()
            return _READ[self._kind](archive_parts)
        except NotAnArchive:
            raise self._not_as_named() from None
        except HasMacros:
            raise self._with_macros() from None

    def look_inside(self, part: Part, raw: bytes) -> None:
        """Look at a part, given the file's bytes from its start on; raises ``UnsupportedMediaType``."""
        try:
            macros.refuse_macros(part, raw)
        except NotAnArchive:
            raise self._not_as_named() from None
        except HasMacros:
            raise self._with_macros() from None

    def _check_head(self) -> None:
        signed = next((kind for kind, matcher in _SIGNED.items() if matcher.match(self._head)), None)
        signed_kind = self._kind if self._kind in _SIGNED else None
        is_archive = self._kind is not DOCX or self._head.startswith(_ZIP)
        is_open_document = self._kind is not ODT or _ODT_MARK.match(self._head) is not None
        if signed is not signed_kind or not is_archive or not is_open_document:
            raise self._not_as_named()

    def _look_on(self, data: bytes, *, final: bool = False) -> None:
        """Go on with what cannot be told from the beginning: text throughout, and an archive's list at its end."""
        if self._kind in _READ:
            self._tail = (self._tail + data)[-TAIL:]
        if self._kind is TXT:
            try:
                text = self._text.decode(data, final)
            except UnicodeDecodeError:
                raise self._not_as_named() from None
            if _CONTROL.search(text):
                raise self._not_as_named()

    def _with_macros(self) -> UnsupportedMediaType:
        message = Text("This file has macros or scripts: save it without them, or as a PDF. Send one of: {kinds}.")
        return _not_taken(message.filled(kinds=TAKEN))

    def _not_as_named(self) -> UnsupportedMediaType:
        message = Text("The name of this file says {kind}, but its content says otherwise. Send one of: {kinds}.")
        return _not_taken(message.filled(kind=self._kind.label, kinds=TAKEN))


def safe_name(path: str) -> str:
    """The last part of a path, without characters that could mislead, at most ``MAX_NAME`` characters."""
    name = _UNSAFE.sub("", re.split(r"[/\\]", path)[-1]).strip(" .")
    return name if len(name) <= MAX_NAME else name[: MAX_NAME - _ENDING] + name[-_ENDING:]


def in_words(size: int) -> Text:
    """A size as file managers tell it: ``10 MB`` is 10 times 1024 times 1024 bytes."""
    for unit, name in _UNITS:
        if size >= unit:
            return Text("{n} {unit}", n=round(size / unit, 1), unit=name)
    return counted("{n} byte", "{n} bytes", size)


def check_room(size: int, used: int, quota: int) -> None:
    """Raise ``TooLarge`` unless ``size`` more bytes fit beside those ``used`` of a member's ``quota``."""
    remaining = max(quota - used, 0)
    if size > remaining:
        raise TooLarge(
            Text(
                "Your evidence may take up {quota} in all, and {remaining} of that are left: send a smaller file, or "
                "delete evidence that you no longer need.",
                quota=in_words(quota),
                remaining=in_words(remaining),
            )
        )


def _kind_of(name: str) -> Kind:
    kind = _OF_ENDING.get(name.rpartition(".")[2].lower()) if "." in name else None
    if kind is None:
        raise _not_taken(Text("Files with this ending are not taken. Send one of: {kinds}.", kinds=TAKEN))
    return kind


def _not_taken(message: Text) -> UnsupportedMediaType:
    return UnsupportedMediaType(message, field_errors=[_fault(message)])


def _fault(message: Text) -> FieldError:
    return FieldError("/file", Text("File"), message)
