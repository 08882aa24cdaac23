"""The merge of PDFs that were typeset one after another into one, tags and bookmarks included.

A long booklet is typeset in parts, because laying it out at once takes memory without bound (docs/decisions/0006). Each
part is a whole PDF/UA-1 and PDF/A-2a file as Typst writes it: objects in plain sight, none in object streams. They get
new numbers; page tree, structure tree (ISO 32000-1 §14.7.4), outline and named destinations become one of each. Nothing
in a content stream changes, so what was compliant stays so.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Final

HEAD: Final = b"%PDF-1.7\n%\x80\x80\x80\x80\n\n"
STREAM: Final = b">>\nstream\n"
ENTRY: Final = 20  # bytes of a line in a cross-reference table

_ITEM = re.compile(rb"\(|(\d+) 0 R\b|(/StructParents?) (\d+)")
_PAIR = re.compile(rb"(\d+) (\d+) 0 R")
_NAME = re.compile(rb"\(([^()\\]*)\)(\d+) 0 R")
_ROLE = re.compile(rb"/(\w+)/(\w+)")

Numbers = Mapping[int, int]


class _PdfPart:
    """One PDF, taken to pieces; ``keys`` is where its keys of the parent tree begin."""

    def __init__(self, pdf: bytes, keys: int) -> None:
        self.keys = keys
        self.objects = _objects(pdf)
        trailer = pdf[pdf.rindex(b"trailer") :]
        self.root, self.info = _ref(trailer, b"Root"), _ref(trailer, b"Info")
        self.catalog = self.objects[self.root]
        names = (b"Pages", b"StructTreeRoot", b"Outlines", b"Metadata")
        self.pages, self.structure, self.outline, self.metadata = (_ref(self.catalog, name) for name in names)
        self.common = {self.root, self.info, self.structure, self.outline, self.metadata}  # the whole has one of each
        self.page_count = int(_after(self.objects[self.pages], b"/Count "))

    @property
    def tags(self) -> list[tuple[int, int]]:
        """Key → element or elements, of the parent tree."""
        tree = self.objects[self.structure].partition(b"/Nums[")[2].partition(b"]")[0]
        return [(int(key), int(number)) for key, number in _PAIR.findall(tree)]


def _objects(pdf: bytes) -> dict[int, bytes]:
    """Number → object, without the lines around it."""
    table = pdf.rindex(b"xref\n0 ", 0, pdf.rindex(b"startxref"))
    lines = pdf.index(b"\n", table + 5) + 1
    count = int(pdf[table + 7 : lines])
    starts = {n: int(pdf[lines + n * ENTRY :][:10]) for n in range(1, count)}
    order = sorted(starts, key=starts.__getitem__)
    ends = [*(starts[number] for number in order[1:]), table]
    texts = {n: pdf[starts[n] : end].strip(b"\n") for n, end in zip(order, ends, strict=True)}
    return {n: text.removeprefix(b"%d 0 obj\n" % n).removesuffix(b"\nendobj") for n, text in texts.items()}


def page_count(pdf: bytes) -> int:
    """Return the number of pages."""
    return _PdfPart(pdf, 0).page_count


def merge_pdfs(pdfs: Sequence[bytes]) -> bytes:
    """Return one PDF of several; the first one's properties are the whole's."""
    parts: list[_PdfPart] = []
    for pdf in pdfs:
        parts.append(_PdfPart(pdf, parts[-1].keys + len(parts[-1].tags) if parts else 0))
    return _PdfMerge(parts).whole()


class _PdfMerge:
    """The parts, and the number that each of their objects has in the whole."""

    def __init__(self, parts: Sequence[_PdfPart]) -> None:
        self._parts = parts
        # The first numbers are those of what the parts share.
        self._pages, self._structure, self._outline, self._catalog = 1, 2, 3, 4
        self._next = 5
        self._numbers = [self._assign_numbers(part, first=part is parts[0]) for part in parts]

    def _assign_numbers(self, part: _PdfPart, *, first: bool) -> Numbers:
        staying = [n for n in part.objects if n not in part.common]
        if first:
            staying += [part.info, part.metadata]
        numbers = {number: self._next + place for place, number in enumerate(staying)}
        self._next += len(staying)
        return {**numbers, part.structure: self._structure, part.outline: self._outline}

    def whole(self) -> bytes:
        """Return the whole, with its cross-reference table."""
        out, places = bytearray(HEAD), dict[int, int]()
        for number, content in self._objects():
            places[number] = len(out)
            out += b"%d 0 obj\n%b\nendobj\n" % (number, content)
        start, first = len(out), self._parts[0]
        out += b"xref\n0 %d\n0000000000 65535 f \n" % (len(places) + 1)
        out += b"".join(b"%010d 00000 n \n" % places[number] for number in sorted(places))
        digest = hashlib.sha256(out).hexdigest()[:32].encode()
        out += b"trailer\n<</Size %d/Root %d 0 R/Info %d 0 R/ID[<%b><%b>]>>\nstartxref\n%d\n%%%%EOF" % (
            *(len(places) + 1, self._catalog, self._numbers[0][first.info]),
            *(digest, digest, start),
        )
        return bytes(out)

    def _objects(self) -> Iterator[tuple[int, bytes]]:
        yield self._pages, self._page_tree()
        yield self._structure, self._structure_tree()
        yield self._outline, self._outline_root()
        yield self._catalog, self._catalog_entry()
        for place, part in enumerate(self._parts):
            numbers = self._numbers[place]
            for number, content in part.objects.items():
                if number in numbers and number not in {part.structure, part.outline}:
                    yield numbers[number], self._join_up(place, number, _renumber(content, numbers, part.keys))

    def _join_up(self, place: int, number: int, content: bytes) -> bytes:
        """Put what a part ends with into the whole: its pages below the common root, its bookmarks in one row."""
        part = self._parts[place]
        if number == part.pages:
            return b"<</Parent %d 0 R" % self._pages + content[2:]
        if number == self._end(place, b"Last") and place + 1 < len(self._parts):
            content = b"<</Next %d 0 R" % self._numbers[place + 1][self._end(place + 1, b"First")] + content[2:]
        if number == self._end(place, b"First") and place:
            content = b"<</Prev %d 0 R" % self._numbers[place - 1][self._end(place - 1, b"Last")] + content[2:]
        return content

    def _end(self, place: int, name: bytes) -> int:
        part = self._parts[place]
        return _ref(part.objects[part.outline], name)

    def _page_tree(self) -> bytes:
        kids = b" ".join(
            b"%d 0 R" % numbers[part.pages] for part, numbers in zip(self._parts, self._numbers, strict=True)
        )
        return b"<</Type/Pages/Count %d/Kids[%b]>>" % (sum(part.page_count for part in self._parts), kids)

    def _structure_tree(self) -> bytes:
        kids, tags, roles = list[bytes](), list[bytes](), dict[bytes, bytes]()
        for part, numbers in zip(self._parts, self._numbers, strict=True):
            root = part.objects[part.structure]
            kids += [b"%d 0 R" % numbers[int(n)] for n in re.findall(rb"(\d+) 0 R", _after(root, b"/K["))]
            tags += [b"%d %d 0 R" % (part.keys + key, numbers[number]) for key, number in part.tags]
            roles |= dict(_ROLE.findall(root.partition(b"/RoleMap<<")[2].partition(b">>")[0]))
        return b"<</Type/StructTreeRoot/RoleMap<<%b>>/K[%b]/ParentTree<</Nums[%b]>>/ParentTreeNextKey %d>>" % (
            b"".join(b"/%b/%b" % role for role in roles.items()),
            *(b" ".join(kids), b" ".join(tags), len(tags)),
        )

    def _outline_root(self) -> bytes:
        last = len(self._parts) - 1
        ends = self._numbers[0][self._end(0, b"First")], self._numbers[last][self._end(last, b"Last")]
        count = sum(int(_after(part.objects[part.outline], b"/Count ")) for part in self._parts)
        return b"<</Type/Outlines/First %d 0 R/Last %d 0 R/Count %d>>" % (*ends, count)

    def _catalog_entry(self) -> bytes:
        names = sorted(
            (name, numbers[int(number)])
            for part, numbers in zip(self._parts, self._numbers, strict=True)
            for name, number in _NAME.findall(part.catalog.partition(b"/Names[")[2].partition(b"]")[0])
        )
        first = self._parts[0].catalog
        entries = re.sub(rb"/(Pages|StructTreeRoot|Outlines) \d+ 0 R|/Names<<.*?]>>>>", b"", first)
        return b"<</Pages %d 0 R/StructTreeRoot %d 0 R/Outlines %d 0 R/Names<</Dests<</Names[%b]>>>>%b" % (
            *(self._pages, self._structure, self._outline),
            b"".join(b"(%b)%d 0 R" % name for name in names),
            _renumber(entries, self._numbers[0], 0)[2:],
        )


def _ref(content: bytes, name: bytes) -> int:
    return int(_after(content, b"/%b " % name))


def _after(content: bytes, name: bytes) -> bytes:
    """Return what stands after a name, up to what ends a number or a list."""
    return re.split(rb"[]/>]| 0 R[/>]", content.partition(name)[2], maxsplit=1)[0].removesuffix(b" 0 R")


def _renumber(content: bytes, numbers: Numbers, keys: int) -> bytes:
    """Give every reference and key of an object its number in the whole; strings and streams stay as they are."""
    head, stream, data = content.partition(STREAM)
    out, at = list[bytes](), 0
    while (item := _ITEM.search(head, at)) is not None:
        out.append(head[at : item.start()])
        at = item.end()
        if item[1]:
            out.append(b"%d 0 R" % numbers[int(item[1])])
        elif item[2]:
            out.append(b"%b %d" % (item[2], keys + int(item[3])))
        else:
            at = _end_of_string(head, item.start())
            out.append(head[item.start() : at])
    return b"".join([*out, head[at:], stream, data])


def _end_of_string(content: bytes, start: int) -> int:
    """Return where a literal string ends (ISO 32000-1 §7.3.4.2): parentheses in it balance or are escaped."""
    depth, at = 0, start
    while True:
        character = content[at : at + 1]
        at += 2 if character == b"\\" else 1
        depth += {b"(": 1, b")": -1}.get(character, 0)
        if depth == 0:
            return at
