"""Typesetting of a booklet with Typst as PDF/UA-1 and PDF/A-2a, in a worker process, for its memory grows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence, Set
from pathlib import Path
from typing import Any, Final

import orjson
import typst

from bridge.documents import fonts
from bridge.documents.booklet import Composer, Sections, in_parts
from bridge.documents.pdf_merge import merge_pdfs, page_count
from bridge.documents.text_runs import PLAIN, TextRuns, marks_among

TEMPLATE: Final = Path(__file__).with_name("booklet.typ")
STANDARDS: Final[list[typst.PDFStandard]] = ["ua-1", "a-2a"]

TEXT = ("FiraGO", "Noto Sans")
SYMBOLS = ("Noto Emoji", "Noto Sans Symbols2")
HAN = ("Noto Sans SC", "Noto Sans TC", "Noto Sans JP", "Noto Sans KR")
FAMILIES: Final[Mapping[str, tuple[str, ...]]] = {
    "": (*TEXT, *HAN, *SYMBOLS),
    "ja": ("Noto Sans JP", *TEXT, *HAN, *SYMBOLS),
    "ko": ("Noto Sans KR", *TEXT, *HAN, *SYMBOLS),
}
"""Font families in the order they are tried, by language: Han characters are drawn differently in Japan and Korea."""

FIRST: Final = frozenset({"header", "form"})
"""Lines that every part of a booklet needs."""

FORGOTTEN_AFTER: Final = 12

Lines = Sequence[Mapping[str, Any]]


class NotShowable(Exception):
    """Every character has a glyph in some font, but not this combination of them; nothing of the text is told."""


class Typesetter:
    """The typesetter of booklets, with its fonts in ``directory``; see ``booklet`` for their lines."""

    def __init__(self, directory: Path) -> None:
        fonts.install(directory)
        self._coverage = fonts.coverage(directory)
        self._marks = marks_among(self._coverage)
        self._fonts = typst.Fonts(include_system_fonts=False, include_embedded_fonts=False, font_paths=[str(directory)])
        missing = set(FAMILIES[""]) - set(self._fonts.families())
        if missing:  # text in a family that is not there would be left out without a word
            raise ModuleNotFoundError(f"These fonts are not installed: {', '.join(sorted(missing))}.")

    def pdf(self, lines: Lines) -> bytes:
        """Return the PDF of a booklet; raises ``ValueError`` or ``KeyError`` for lines that make none."""
        try:
            return self._compiled(lines)
        except NotShowable:
            odd = set(self._not_showable(lines, [n for n, line in enumerate(lines) if not line.keys() & FIRST]))
        try:
            return self._compiled(lines, odd)
        except NotShowable:  # it is on the cover
            return self._compiled(lines, {0, *odd})

    def _not_showable(self, lines: Lines, numbers: Sequence[int]) -> list[int]:
        """Return the numbers of the lines that do not typeset, each half looked at by itself."""
        try:
            self._compiled([*(line for line in lines if line.keys() & FIRST), *(lines[n] for n in numbers)], {0})
        except NotShowable:
            if len(numbers) < 2:
                return list(numbers)
        else:
            return []
        half = len(numbers) // 2
        return [*self._not_showable(lines, numbers[:half]), *self._not_showable(lines, numbers[half:])]

    def _compiled(self, lines: Lines, plain: Set[int] = frozenset()) -> bytes:
        composer = Composer(TextRuns(self._coverage, self._marks), TextRuns(_OnlyPlain()))
        for number, line in enumerate(lines):
            composer.take(line, plain=number in plain)
        data = composer.data()
        parts = list(in_parts(data["sections"]))
        return self._bound(data, parts) if len(parts) > 1 else self._part(data, None)

    def _bound(self, data: dict[str, Any], parts: Sequence[Sections]) -> bytes:
        """Typeset a long booklet part by part, so that it takes no more memory than its longest part."""
        cover = {"number": 0, "of": len(parts), "starts": [0] * len(parts)}
        page = 1 + page_count(self._part({**data, "sections": []}, cover))
        pdfs, starts = list[bytes](), list[int]()
        for number, sections in enumerate(parts, 1):
            starts.append(page)
            pdfs.append(self._part({**data, "sections": sections}, {"number": number, "of": len(parts), "page": page}))
            page += page_count(pdfs[-1])
            self.forget()
        return merge_pdfs([self._part({**data, "sections": []}, {**cover, "starts": starts}), *pdfs])

    def _part(self, data: dict[str, Any], part: dict[str, Any] | None) -> bytes:
        inputs = {"data": orjson.dumps({**data, "fonts": FAMILIES, "part": part}).decode()}
        return _made(typst.Compiler(TEMPLATE, font_paths=self._fonts, sys_inputs=inputs))

    def forget(self) -> None:
        """Drop what the compiler remembers of earlier booklets: it forgets what ten compilations did not use."""
        for _ in range(FORGOTTEN_AFTER):
            typst.Compiler(b"", font_paths=self._fonts).compile(format="pdf")


class _OnlyPlain:
    """The code points of plain Latin text alone."""

    def __contains__(self, point: object) -> bool:
        return isinstance(point, int) and PLAIN.fullmatch(chr(point)) is not None


def _made(compiler: typst.Compiler) -> bytes:
    """Compile; raises ``NotShowable`` without the error's own words, which quote what people typed."""
    try:
        pdf = compiler.compile(format="pdf", pdf_standards=STANDARDS)
    except typst.TypstError as error:
        if "could not be displayed" in error.message or "disallowed codepoint" in error.message:
            raise NotShowable from None
        raise
    except BaseException as error:
        if type(error).__name__ != "PanicException":  # the compiler's own bug; it derives from BaseException
            raise
        raise NotShowable from None
    if not isinstance(pdf, bytes):
        raise TypeError("a PDF is one file")
    return pdf
