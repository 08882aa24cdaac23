"""Which files are taken as evidence: by the ending of the name, and by a content that bears it out."""

from __future__ import annotations

import hashlib
import os
import zipfile

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.domain.record.files import MAX_NAME, FileFacts, Inspector, check_room, in_words, safe_name
from bridge.errors import BridgeError, TooLarge, UnsupportedMediaType, ValidationFailed
from tests.support import documents

LIMIT = 2**20


def inspect(name: str, content: bytes, piece: int = 10_000, limit: int = LIMIT) -> FileFacts:
    """Let a file pass in pieces."""
    inspector = Inspector(name, limit)
    for start in range(0, len(content), piece):
        inspector.take(content[start : start + piece])
    facts = inspector.finish()
    for part in inspector.to_read():
        inspector.look_inside(part, content[part.start :][: part.length])
    return facts


@pytest.mark.parametrize(
    ("name", "content", "media_type"),
    [
        ("a.pdf", documents.PDF, "application/pdf"),
        ("a.PDF", documents.PDF, "application/pdf"),
        ("a.jpg", documents.JPEG, "image/jpeg"),
        ("a.jpeg", documents.JPEG, "image/jpeg"),
        ("a.png", documents.PNG, "image/png"),
        ("a.odt", documents.odt(), documents.ODT_TYPE),
        ("a.txt", "BMJ: Ünïcödé, a\ttab\r\nand a line\f".encode(), "text/plain"),
        ("a.txt", b"\xef\xbb\xbfwith a mark", "text/plain"),
        ("a.b.txt", b"x", "text/plain"),
    ],
)
@pytest.mark.parametrize("piece", [1, 1000, LIMIT])
def test_taken(name: str, content: bytes, media_type: str, piece: int) -> None:
    """Each kind is taken, however its content comes in, and described by what was seen."""
    digest = hashlib.sha256(content).hexdigest()
    assert inspect(name, content, piece) == FileFacts(name, media_type, len(content), digest)


def test_word_documents_are_known_by_their_list_of_contents() -> None:
    """A Word document is one whatever comes first in it, and however large that is."""
    large = documents.docx({"word/media/image1.png": os.urandom(600_000)})
    assert inspect("a.docx", large).media_type.endswith("wordprocessingml.document")


PACKINGS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
VBA = "http://schemas.microsoft.com/office/2006/relationships/vbaProject"
MAIN = "application/vnd.ms-word.document.macroEnabled.main+xml"
PROJECT = "application/vnd.ms-office.vbaProject"
LINK = '<a xlink:href="vnd.sun.star.script:Standard.Module1.Main?language=Basic&amp;location=application"/>'
LONG = "".join(f"<p>{number}</p>" for number in range(40_000))
OF_WORD: dict[str, dict[str, str | bytes]] = {
    "the usual name": {"word/vbaProject.bin": b"x"},
    "in other letters": {"WORD/VBAPROJECT.BIN": b"x"},
    "the project's data": {"word/vbaData.xml": b"x"},
    "another name, by its type": {"x": b"x", "[Content_Types].xml": documents.content_types("/x", PROJECT)},
    "the main part's type": {"[Content_Types].xml": documents.content_types("/word/document.xml", MAIN)},
    "another name, by its relationship": {
        "x.bin": b"x",
        "word/_rels/document.xml.rels": documents.relationship(VBA, "/x.bin"),
    },
    "in UTF-16": {"word/_rels/document.xml.rels": documents.relationship(VBA, "x").encode("utf-16")},
    "with references": {"_rels/.rels": documents.relationship(VBA.replace("vba", "&#118;b&#x61;"), "x")},
    "a name in other letters": {"word/_RELS/document.xml.RELS": documents.relationship(VBA, "x")},
    "a name with an escape": {"word/_rels/document.xml.%72els": documents.relationship(VBA, "x")},
    "a name with backslashes": {"word\\_rels\\document.xml.rels": documents.relationship(VBA, "x")},
    "after much else": {
        "a.bin": os.urandom(300_000),
        "_rels/.rels": documents.relationship(VBA, "x"),
        "b.bin": os.urandom(300_000),
    },
    "in a document inside": {
        "[Content_Types].xml": documents.content_types("/y", "application/vnd.ms-excel.sheet.macroEnabled.12")
    },
}
OF_OPEN_DOCUMENT: dict[str, dict[str, str | bytes]] = {
    "Basic": {"Basic/Standard/Module1.xml": "<x/>"},
    "Python": {"Scripts/python/x.py": "print()"},
    "a dialogue": {"Dialogs/Standard/Dialog1.xml": "<x/>"},
    "in other letters": {"BASIC/x.xml": "<x/>"},
    "in an object": {"Object 1/Basic/x.xml": "<x/>"},
    "an event": {"content.xml": documents.content('<script:event-listener script:language="ooo:script"/>')},
    "a script": {"content.xml": documents.content("<office:script/>")},
    "a link": {"content.xml": documents.content(LINK)},
    "an event of a style": {"styles.xml": documents.content("<script:event-listener/>")},
    "after a long text": {"content.xml": documents.content(LONG + LINK)},
}


@pytest.mark.parametrize("packing", PACKINGS)
@pytest.mark.parametrize(
    ("name", "parts"),
    [*(("a.docx", parts) for parts in OF_WORD.values()), *(("a.odt", parts) for parts in OF_OPEN_DOCUMENT.values())],
    ids=[*(f"docx {name}" for name in OF_WORD), *(f"odt {name}" for name in OF_OPEN_DOCUMENT)],
)
def test_macros_are_refused(name: str, parts: dict[str, str | bytes], packing: int) -> None:
    """Whatever their parts are called, the person is told how to send the document without them."""
    file = documents.docx(parts, packing) if name == "a.docx" else documents.odt(parts=parts, packing=packing)
    with pytest.raises(UnsupportedMediaType, match="has macros or scripts: save it without them"):
        inspect(name, file)


@pytest.mark.parametrize("packing", PACKINGS)
def test_documents_without_macros_are_taken(packing: int) -> None:
    """Links and words that only sound like it, a long text, and pictures before and after."""
    link = documents.relationship(f"{documents.RELATIONSHIPS}/hyperlink", "https://example.org/vbaProject.bin?macro=1")
    pictures = {"word/media/1.png": os.urandom(300_000), "word/_rels/document.xml.rels": link}
    assert inspect("a.docx", documents.docx({**pictures, "word/media/2.png": os.urandom(300_000)}, packing))
    words = documents.content(LONG + '<a xlink:href="https://example.org/script:x">macro: a script</a>')
    assert inspect(
        "a.odt", documents.odt(parts={"content.xml": words, "Pictures/1.png": os.urandom(300_000)}, packing=packing)
    )


@pytest.mark.parametrize(
    "parts",
    [
        {"_rels/.rels": "<not XML"},
        {"_rels/.rels": '<!DOCTYPE x [<!ENTITY y "z">]><x>&y;</x>'},
        {"_rels/.rels": " " * 40_000_000},
        {"[Content_Types].xml/[0].piece": "<x/>"},
        {"_rels/.rels": os.urandom(5_000_000)},
    ],
    ids=["no XML", "a DTD", "a bomb", "in pieces", "too long"],
)
def test_what_cannot_be_read_is_refused(parts: dict[str, str | bytes]) -> None:
    """A document whose parts do not say what they are is none that a word processor wrote."""
    with pytest.raises(UnsupportedMediaType, match="its content says otherwise"):
        inspect("a.docx", documents.docx(parts, zipfile.ZIP_DEFLATED), LIMIT, 10 * LIMIT)


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.exe", b"MZ\x90\x00"),
        ("a", documents.PDF),
        (".pdf", documents.PDF),
        ("pdf", documents.PDF),
        ("a.pdf", b"hello"),
        ("a.pdf", documents.PNG),
        ("a.png", documents.JPEG),
        ("a.jpg", documents.PDF),
        ("a.txt", documents.PDF[:9]),
        ("a.txt", b"caf\xe9"),
        ("a.txt", b"cut off \xc3"),
        ("a.txt", b"nul \x00"),
        ("a.txt", "a\u0085b\u009bc".encode()),
        ("a.txt", documents.docx()),
        ("a.docx", documents.odt()),
        ("a.odt", documents.docx()),
        ("a.odt", documents.odt(documents.ODT_TYPE + "-template")),
        ("a.odt", documents.archive({"content.xml": "", "mimetype": documents.ODT_TYPE})),
        ("a.docx", documents.archive({"xl/workbook.xml": "", "[Content_Types].xml": ""})),
        ("a.docx", documents.docx()[:-5]),
        ("a.odt", documents.odt()[:-5]),
        ("a.docx", b"PK\x03\x04" + bytes(100)),
    ],
)
def test_refused(name: str, content: bytes) -> None:
    """What is not taken, or is not what its name says, is refused with the kinds that are taken."""
    with pytest.raises(UnsupportedMediaType, match=r"Send one of: PDF \(\.pdf\)") as refusal:
        inspect(name, content)
    assert refusal.value.field_errors[0].pointer == "/file"


def test_refused_before_the_end() -> None:
    """A file that is not what its name says is refused by its beginning, and a large one at the limit."""
    inspector = Inspector("a.pdf", LIMIT)
    with pytest.raises(UnsupportedMediaType):
        inspector.take(bytes(10_000))
    inspector = Inspector("a.pdf", LIMIT)
    inspector.take(documents.PDF + bytes(LIMIT - len(documents.PDF)))
    with pytest.raises(TooLarge, match="up to 1 MB"):
        inspector.take(b"x")


def test_empty() -> None:
    """An empty file is a fault of the input."""
    with pytest.raises(ValidationFailed, match="empty"):
        inspect("a.txt", b"")


@given(st.sampled_from(["a.pdf", "a.png", "a.jpg", "a.docx", "a.odt", "a.txt"]), st.binary(max_size=300), st.binary())
def test_anything_is_taken_or_refused(name: str, head: bytes, tail: bytes) -> None:
    """Whatever comes, the answer is the facts or a refusal, never another error."""
    for content in (head, b"PK\x03\x04" + head + b"PK\x05\x06" + tail, documents.docx()[: len(head)] + tail):
        try:
            assert inspect(name, content).size == len(content)
        except BridgeError as refused:
            assert refused.status in {415, 422}  # noqa: PT017 - either outcome is right


@pytest.mark.parametrize(
    ("given_name", "safe"),
    [
        ("C:\\Users\\me\\note.txt", "note.txt"),
        ("../../etc/note.txt", "note.txt"),
        ("re\u202etxt.exe.pdf", "retxt.exe.pdf"),
        ("a\r\nX: y\x00.txt", "aX: y.txt"),
        (" .note.txt. ", "note.txt"),
        ("\u0633\u0646\u062f\u200c\u0647\u0627.pdf", "\u0633\u0646\u062f\u200c\u0647\u0627.pdf"),
        ("x" * 300 + ".pdf", "x" * (MAX_NAME - 4) + ".pdf"),
        ("x." + "y" * 300, "x." + "y" * (MAX_NAME - 2)),
    ],
)
def test_names(given_name: str, safe: str) -> None:
    """A name keeps its letters, and loses its path and what could mislead; a long one keeps its ending."""
    assert safe_name(given_name) == safe


@given(st.text())
def test_names_are_short_and_printable(name: str) -> None:
    """No name is longer than told, or has a control character."""
    safe = safe_name(name)
    assert len(safe) <= MAX_NAME
    assert not any(c < " " or c == "\x7f" for c in safe)
    assert safe.encode() is not None


def test_room() -> None:
    """A quota is filled to the last byte, and what is left is told in words."""
    check_room(50, 50, 100)
    with pytest.raises(TooLarge, match="100 bytes in all, and 49 bytes of that"):
        check_room(50, 51, 100)
    with pytest.raises(TooLarge, match="and 0 bytes"):
        check_room(1, 200, 100)


@pytest.mark.parametrize(
    ("size", "words"),
    [(0, "0 bytes"), (1, "1 byte"), (1536, "1.5 kB"), (10 * 2**20, "10 MB"), (2**30, "1 GB")],
)
def test_sizes(size: int, words: str) -> None:
    """Sizes are told as file managers tell them."""
    assert in_words(size) == words
