"""Text made safe to typeset: nothing lost, nothing run, every word with a place to break."""

from __future__ import annotations

import re
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.documents.text_runs import INVISIBLE, LONG_WORD, Paragraph, TextRuns, is_blank

ALL_CODE_POINTS = frozenset(range(0x110000))
PASSAGES = TextRuns(ALL_CODE_POINTS, "\u0301\u0323")


def plain(paragraph: Paragraph) -> str:
    """The text of a paragraph, without what steers its layout."""
    text = paragraph if isinstance(paragraph, str) else "".join(run for run, _ in paragraph["runs"])
    return INVISIBLE.sub("", text)


@given(st.text())
def test_nothing_is_lost_and_nothing_is_control(text: str) -> None:
    """Each character is there, or its number is; no control character gets through."""
    plain_text = plain(PASSAGES.line(text))
    assert not any(unicodedata.category(character) in {"Cc", "Cs", "Co", "Cn"} for character in plain_text)
    for character in set(text):
        character_name = f"[U+{ord(character):04X}"
        assert (
            character in plain_text or character_name in plain_text or character.isspace() or INVISIBLE.match(character)
        )


@given(st.text(alphabet=st.characters(categories=["L", "N", "P", "S"]), min_size=1, max_size=400))
def test_every_word_can_break(text: str) -> None:
    """A word that fits no line has places to go on in the next one."""
    paragraph = PASSAGES.line(text)
    plain_text = paragraph if isinstance(paragraph, str) else "".join(run for run, _ in paragraph["runs"])
    assert not [word for word in LONG_WORD.findall(plain_text) if word.isalnum()]


def test_lines_become_paragraphs() -> None:
    """Whatever ends a line somewhere ends a paragraph; blank lines go."""
    assert PASSAGES.paragraphs("a\r\nb\n\n  \nc\u2028d\x0be\rf\x85g") == list("abcdefg")


@pytest.mark.parametrize(
    ("text", "runs", "rtl"),
    [
        ("悲傷", ["zh"], False),
        ("グリーフ悲傷", ["ja"], False),
        ("애도", ["ko"], False),
        ("one שתיים three", ["", "he", ""], False),
        ("שתיים three", ["", "he", "", ""], True),
        ("ورشة", ["", "ar", ""], True),
    ],
)
def test_scripts_tell_languages(text: str, runs: list[str], rtl: bool) -> None:
    """A passage is cut where its script changes; one from right to left stands in an isolate (UAX 9)."""
    paragraph = PASSAGES.line(text)
    assert not isinstance(paragraph, str)
    assert [language for _, language in paragraph["runs"]] == runs
    assert paragraph["rtl"] is rtl


def test_heaps_of_marks_are_counted() -> None:
    """What a letter cannot carry is told as a number."""
    assert plain(PASSAGES.line("a" + "\u0301" * 500)) == "a" + "\u0301" * 5 + "[U+0301 x 495]"


def test_replaced_characters_are_counted() -> None:
    """The cover can say whether there are any."""
    text_runs = TextRuns(frozenset(map(ord, "aé")))
    assert re.sub(r"\W", "", plain(text_runs.line("aé\x01中"))) == "aéU0001U4E2D"
    assert text_runs.replaced == 2


@pytest.mark.parametrize("text", ["", " ", "\u200b\u00a0", "\t\n"])
def test_blank_is_what_shows_nothing(text: str) -> None:
    """A title of blanks is none."""
    assert is_blank(text)
