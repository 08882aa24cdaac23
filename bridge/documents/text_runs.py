"""Text that people typed, made safe to typeset: paragraphs, each in runs of one language, every character showable.

Nothing is lost silently: what no font has, or a control character, becomes ``[U+0001]``. Markup and template syntax
stay as typed, because text reaches the template as data and is never read as source.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Container, Iterable, Iterator
from itertools import groupby
from typing import Any

Paragraph = str | dict[str, Any]
"""A left-to-right text in the document's language, or ``{"rtl": bool, "runs": [[text, language or ""], …]}``."""

LINE_ENDS = re.compile("\r\n|[\n\r\v\f\x1c-\x1e\x85\u2028\u2029]")
PLAIN = re.compile("[ -~\u00a0-\u00ac\u00ae-\u017f\u2013\u2014\u2018-\u201d\u2022\u2026\u20ac]*")
"""Every font for text has these, and they run from left to right: most texts need no closer look."""

STEERING = (
    "\u00ad\u034f\u061c\u180b-\u180e\u200b-\u200f\u2060-\u2064\u2066-\u2069\ufe00-\ufe0f\U000e0020-\U000e007f"
    "\U000e0100-\U000e01ef"
)
"""Characters without a shape that steer those around them. Overrides of direction (U+202A to U+202E) are not among
them: they could make a text read as another."""

INVISIBLE = re.compile(f"[{STEERING}]")

LONG_WORD = re.compile(r"[^\s\u200b\u2e80-\ua4cf\uac00-\ud7ff\uf900-\ufaff\U00020000-\U0003ffff]{30,}")
BREAK_EVERY = 15
"""Characters between two places where a long word may go on in the next line; else it would leave the page."""

STACK = 5
"""Marks on one letter that are drawn: no language needs more, and a heap of them takes for ever to lay out."""

PARAGRAPH_LIMIT = 20_000
"""Characters of a paragraph that are laid out in one piece; the time it takes grows faster than the text."""

SCRIPTS = re.compile(
    "(?P<he>[\u0590-\u05ff\ufb1d-\ufb4f]+)|(?P<ar>[\u0600-\u06ff\u0750-\u077f\u08a0-\u08ff\ufb50-\ufdff\ufe70-\ufefe]+)"
    "|(?P<el>[\u0370-\u03ff\u1f00-\u1fff]+)|(?P<th>[\u0e00-\u0e7f]+)|(?P<hi>[\u0900-\u097f]+)"
    "|(?P<ko>[\u1100-\u11ff\u3130-\u318f\uac00-\ud7af]+)|(?P<ja>[\u3040-\u30ff\u31f0-\u31ff]+)"
    "|(?P<zh>[\u2e80-\u2fdf\u3005-\u3007\u3400-\u9fff\uf900-\ufaff\U00020000-\U0003ffff]+)"
    "|(?P<latin>[A-Za-z\u00c0-\u024f\u1e00-\u1eff]+)"
)
"""Scripts by the language most written in them; the Latin ones are taken to be the document's own language."""

RIGHT_TO_LEFT = frozenset({"he", "ar"})


class TextRuns:
    """The maker of paragraphs, for fonts that have the code points of ``coverage``; ``replaced`` counts the others."""

    def __init__(self, coverage: Container[int], marks: Iterable[str] = ()) -> None:
        self._table = _Table(coverage)
        joining = f"[{re.escape(''.join(marks))}{STEERING}]"
        self._heap = re.compile(f"({joining}{{{STACK}}})({joining}+)")

    @property
    def replaced(self) -> int:
        """How many different characters had to be written as ``[U+…]`` so far."""
        return self._table.replaced

    def line(self, text: str) -> Paragraph:
        """Return a text as one paragraph."""
        return self._paragraph(" ".join(LINE_ENDS.split(text)).strip())

    def paragraphs(self, text: str) -> list[Paragraph]:
        """Return a text line by line, without its blank lines."""
        lines = (line.rstrip() for line in LINE_ENDS.split(text))
        return [self._paragraph(piece) for line in lines if line.strip() for piece in _pieces(line)]

    def plain(self, text: str) -> str:
        """Return a text on one line for a document's properties: no runs, no breaks."""
        return " ".join(LINE_ENDS.split(text)).strip().translate(self._table)

    def _paragraph(self, text: str) -> Paragraph:
        if PLAIN.fullmatch(text):
            return LONG_WORD.sub(_breakable, text)
        drawable = self._heap.sub(_counted, text.translate(self._table))
        runs = list(_runs(LONG_WORD.sub(_breakable, drawable)))
        first = next((language for _, language in runs if language), "")
        rtl = first in RIGHT_TO_LEFT
        if rtl:  # an isolate, so that neither it nor what it stands among is turned round
            runs = [("\u2067", ""), *runs, ("\u2069", "")]
        return {"rtl": rtl, "runs": [[part, "" if name == "latin" else name] for part, name in runs]}


def marks_among(points: Iterable[int]) -> str:
    """Return those of the characters that are drawn on the one before them."""
    return "".join(character for character in map(chr, points) if unicodedata.category(character).startswith("M"))


def is_blank(text: str) -> bool:
    """Say whether a text shows nothing."""
    return not INVISIBLE.sub("", text).strip()


class _Table(dict[int, str]):
    """The table of ``str.translate``, worked out once a character."""

    def __init__(self, coverage: Container[int]) -> None:
        super().__init__({ord("\t"): "    "})
        self._coverage = coverage
        self.replaced = 0

    def __missing__(self, point: int) -> str:
        character = chr(point)
        can = not unicodedata.category(character).startswith("C") and point in self._coverage
        if not can and not INVISIBLE.match(character):
            self.replaced += 1
            self[point] = f"[U+{point:04X}]"
        else:
            self[point] = character
        return self[point]


def _pieces(line: str) -> Iterator[str]:
    """Cut a line that is too long to lay out at once, at a blank where there is one."""
    while len(line) > PARAGRAPH_LIMIT:
        cut = line.rfind(" ", 1, PARAGRAPH_LIMIT) + 1 or PARAGRAPH_LIMIT
        yield line[:cut]
        line = line[cut:]
    yield line


def _counted(heap: re.Match[str]) -> str:
    """Keep the first marks of a heap and say in words what else is on it, as ``[U+0301 x 992]``."""
    rest = ((mark, len(list(group))) for mark, group in groupby(heap[2]))
    return heap[1] + "".join(f"[U+{ord(mark):04X} x {count}]" for mark, count in rest)


def _breakable(word: re.Match[str]) -> str:
    """Put a zero-width space into a long word here and there, but never before a mark that belongs to a letter."""
    text, parts, start = word[0], list[str](), 0
    for end in range(BREAK_EVERY, len(text), BREAK_EVERY):
        if not _joins(text[end]) and not _joins(text[end - 1]):
            parts.append(text[start:end])
            start = end
    return "\u200b".join([*parts, text[start:]])


def _joins(character: str) -> bool:
    """Say whether a character belongs with its neighbours: a mark, a joiner, a modifier of an emoji."""
    return not character.isalnum() and unicodedata.category(character) in {"Mn", "Mc", "Me", "Cf", "Sk", "So"}


def _runs(text: str) -> Iterator[tuple[str, str]]:
    """Cut a text where its script changes; what has no script of its own goes with what stands before it."""
    japanese = any(match.lastgroup == "ja" for match in SCRIPTS.finditer(text))
    start, language = 0, ""
    for match in SCRIPTS.finditer(text):
        name = match.lastgroup or ""
        script = "ja" if name == "zh" and japanese else name
        if language and script != language:
            yield text[start : match.start()], language
            start = match.start()
        language = script
    yield text[start:], language
