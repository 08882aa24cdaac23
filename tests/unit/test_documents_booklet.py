"""PDF booklets: what is in them, and what an independent checker says (R71-R75, WCAG 2.1 AA, PDF/UA-1, PDF/A-2a)."""

from __future__ import annotations

import io
import re
import resource
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from pypdf import PdfReader

from bridge.documents import booklet
from bridge.documents.typesetting import Typesetter
from bridge.domain.forms import STANDARD
from bridge.services.exports.booklets import form_lines
from tests.support.pdf import faults, languages, tags, text_of
from tests.support.records import HOSTILE, LOREM, comment, entry, forms, header, item

WORD = 200_000
LONG = {"letters": "w" * WORD, "Hebrew letters": "ש" * (WORD // 4), "marks": "a" + "\u0301" * WORD}

SMALL_PART = 2**16
"""Bytes of a part of a booklet: an eighth of what it is, so that some dozens of entries are a long booklet."""


@pytest.fixture(scope="module")
def typesetter(tmp_path_factory: pytest.TempPathFactory) -> Typesetter:
    """A typesetter with its fonts."""
    return Typesetter(tmp_path_factory.mktemp("fonts"))


ENGLISH = (
    "Contents",
    "Page",
    "Evidence",
    "Yes",
    "Title",
    "entries",
    "Made on",
    "minutes",
    "Planned",
    "Complete",
    "Status",
)
"""Words of the English booklet, none of which are in the texts that members typed here."""


def one_line(text: str) -> str:
    """The text with every run of blanks as one."""
    return " ".join(text.split())


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_records_are_compliant(typesetter: Typesetter, name: str) -> None:
    """A text that means trouble, in every place where one is shown, breaks neither standard (WCAG 2.1 AA)."""
    text = HOSTILE[name]
    lines = [
        header(member=text, span=text, facts=[("Included", text)]),
        *forms(),
        item(title=text, learning_need=text, themes=[text]),
        entry(title=text, description=f"{text}\n\n{text}", tags=[text], evidence=[], provider=text),
        comment(text=text, about=text, author=text),
    ]
    assert faults(typesetter.pdf(lines)) == []


@pytest.mark.parametrize("name", LONG)
def test_endless_words_are_compliant_and_whole(typesetter: Typesetter, name: str) -> None:
    """A word of 200,000 characters goes over pages, and nothing of it leaves the paper."""
    pdf = typesetter.pdf([header(), *forms(), entry(description=LONG[name])])
    assert faults(pdf) == []
    if name == "letters":
        assert text_of(pdf).replace("\n", "").count("w") >= WORD


@pytest.mark.parametrize("lines", [[header(), *forms()], [header(progress=None), *forms(), item()]])
def test_little_or_nothing_is_a_booklet_too(typesetter: Typesetter, lines: list[Mapping[str, Any]]) -> None:
    """A booklet without entries is compliant, and says so (R81)."""
    pdf = typesetter.pdf(lines)
    assert faults(pdf) == []
    assert ("There is nothing to show" in text_of(pdf)) is (len(lines) == 1 + len(forms()))


def test_every_answer_is_there(typesetter: Typesetter) -> None:
    """Cover, contents, each answered field, links, evidence, comments and page numbers (R71)."""
    pdf = typesetter.pdf([header(), *forms(), item(learning_need="To end well"), entry(), entry(2), comment()])
    text = one_line(text_of(pdf))
    expected = (
        *("CPD log", "Ffion Prosser", "1 June 2025 to 31 May 2026", "Completed entries only", "Contents", "Page 2"),
        *("Day 338 of 365", "2 entries, 1 hour 21 minutes recorded", "Seminar or conference", "Working with silence"),
        *("What you learned", "Date completed 2 February 2025", "Together with others Yes", "silence, endings"),
        *("Linked to the plan", "P1 · Endings", "Evidence", "certificate.pdf, 123.5 KB, added on 1 May 2025"),
        *("To end well", "Not answered yet: What you would like to learn.", "It was cancelled.", "1 July 2025, 10:00"),
        one_line(LOREM * 2),
    )
    assert [part for part in expected if part not in text] == []


def test_a_welsh_booklet_is_compliant_and_has_no_english(typesetter: Typesetter) -> None:
    """The words of the template, of the cover and of the form are Welsh, in the document's language (WCAG 3.1.1)."""
    welsh = form_lines(STANDARD, "cy")
    lines = [header(language="cy", title="Log DPP", facts=[]), *welsh, item(), entry(), entry(2, draft=True), comment()]
    pdf = typesetter.pdf(lines)
    assert faults(pdf) == []
    text = one_line(text_of(pdf))
    assert [word for word in ENGLISH if re.search(rf"\b{word}\b", text)] == []
    assert [word for word in ("Cynnwys", "Tudalen", "Tystiolaeth", "Ie", "1 Mai 2025") if word not in text] == []


def test_long_answers_are_not_cut(typesetter: Typesetter) -> None:
    """A text of the greatest length is there to the last word, in as many pages as it takes (R42)."""
    words = [f"word{number}" for number in range(11_000)]
    text = text_of(typesetter.pdf([header(), *forms(), entry(description=" ".join(words))]))
    assert [word for word in words if word not in text] == []


def test_template_syntax_is_shown_as_typed(typesetter: Typesetter) -> None:
    """What looks like Typst or HTML is text like any other (decision 12)."""
    pdf = typesetter.pdf([header(), *forms(), entry(title="x", description=HOSTILE["Typst"], reason=HOSTILE["markup"])])
    text = one_line(text_of(pdf))
    assert '#panic("no") #eval("1") $ sum_1 $ *bold* `raw`' in text
    assert "<script>alert(1)</script> &amp;" in text


def test_what_no_font_has_is_replaced_visibly(typesetter: Typesetter) -> None:
    """A character without a glyph, or without a shape, is written by its number, and the cover says so."""
    text = text_of(typesetter.pdf([header(), *forms(), entry(description="a\x01b\ue000c\u202ed")]))
    assert "a[U+0001]b[U+E000]c[U+202E]d" in text
    assert "They are written by their number" in one_line(text)


def test_an_unshowable_mixture_spoils_only_its_own_record(typesetter: Typesetter) -> None:
    """Marks that need several fonts at once make one entry plain; the next keeps its own letters."""
    mixture = "\u05a8\ua678\U0001f005\u0486"
    pdf = typesetter.pdf([header(), *forms(), entry(1, reason=mixture), entry(2, reason="悲傷輔導")])
    assert faults(pdf) == []
    text = text_of(pdf)
    assert "[U+A678]" in text
    assert "悲傷輔導" in text


def test_tags_languages_and_alternatives(typesetter: Typesetter) -> None:
    """The drawing has words, headings nest, and passages are marked with the language their script tells."""
    lines = [
        header(),
        *forms(),
        entry(title="شهادة", description="悲傷"),
        entry(2, title="グリーフ"),
        entry(3, title="שיעור"),
    ]
    pdf = typesetter.pdf(lines)
    elements = list(tags(pdf))
    assert [tag["/Alt"] for tag in elements if tag.get("/S") == "/Figure"] == [header()["header"]["progress"]["text"]]
    assert {"/H1", "/H2", "/H3", "/H4"} <= {tag.get("/S") for tag in elements}
    assert {"ar", "zh", "ja", "he"} <= languages(pdf)


def test_properties_and_bookmarks(typesetter: Typesetter) -> None:
    """The document has a title, an author, a language, and a bookmark for each entry."""
    reader = PdfReader(io.BytesIO(typesetter.pdf([header(), *forms(), entry(), entry(2)])))
    root: Any = reader.trailer["/Root"]
    assert reader.metadata is not None
    assert reader.metadata.title == "CPD log: Ffion Prosser, 1 June 2025 to 31 May 2026"
    assert reader.metadata.author == "Ffion Prosser"
    assert root["/Lang"] == "en"
    assert root["/ViewerPreferences"]["/DisplayDocTitle"].value is True
    assert "L2 · Working with silence, part 2" in str(reader.outline)


def test_the_same_lines_give_the_same_bytes(typesetter: Typesetter, tmp_path: Path) -> None:
    """A booklet depends on nothing but its lines: not on the clock, nor on the machine's fonts."""
    lines = [header(), *forms(), entry()]
    assert typesetter.pdf(lines) == Typesetter(tmp_path).pdf(lines)


def test_a_long_booklet_is_bound_of_parts(typesetter: Typesetter, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is too long to typeset at once is one compliant PDF all the same: pages, bookmarks and links go through."""
    monkeypatch.setattr(booklet, "PART", SMALL_PART)
    odd = {"title": "(see 5 0 R \\ (1 0 R)) endobj", "description": "stream\n) 9 0 R"}
    lines = [header(), *forms(), *(entry(number) for number in range(40)), entry(40, **odd), comment()]
    pdf = typesetter.pdf(lines)
    assert faults(pdf) == []
    reader = PdfReader(io.BytesIO(pdf))
    texts = [page.extract_text() for page in reader.pages]
    assert [text.split()[-1] for text in texts[1:]] == [str(number) for number in range(2, len(texts) + 1)]
    starts = [number for number, text in enumerate(texts, 1) if text.startswith("Part ")]
    assert len(starts) > 1
    assert [line.split()[-1] for line in texts[1].splitlines() if line.startswith("Part ")] == list(map(str, starts))
    assert sum(f"L40 · {odd['title']}" in text for text in texts) == 2  # in the contents, and above the entry
    assert f"L40 · {odd['title']}" in [bookmark.title for bookmark in bookmarks(reader.outline)]
    assert (
        len(reader.named_destinations) == 41 + 1 + len(starts) + 1
    )  # entries, comment, a section a part, and one more
    assert "41 entries" in texts[0]


def bookmarks(outline: Any) -> Iterator[Any]:
    """Every bookmark of an outline, as pypdf nests them."""
    for heading in outline:
        if isinstance(heading, list):
            yield from bookmarks(heading)
        else:
            yield heading


def test_a_long_booklet_takes_bounded_memory(typesetter: Typesetter, monkeypatch: pytest.MonkeyPatch) -> None:
    """Thrice the entries take thrice the pages, and hardly more memory (R43)."""
    monkeypatch.setattr(booklet, "PART", SMALL_PART)
    typesetter.pdf([header(), *forms(), *(entry(number) for number in range(60))])
    before = peak()
    typesetter.pdf([header(), *forms(), *(entry(number) for number in range(180))])
    assert peak() - before < 60 * 2**20


def peak() -> int:
    """The most memory that this process had, in bytes."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
