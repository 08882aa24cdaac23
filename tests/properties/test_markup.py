"""Whatever a statement's name or description holds, readable text comes out (decision 12)."""

from __future__ import annotations

import re
import unicodedata

from hypothesis import assume, given
from hypothesis import strategies as st

from bridge.domain.record.markup import DROPPED, LAYOUT, readable

ELEMENTS = sorted(name for name in LAYOUT if name[0].isalpha())
TAGS = [form.format(name) for name in ELEMENTS for form in ("<{}>", "</{}>", "<{}/>", '<{} class="x">')]
anything = st.text(alphabet=st.characters(exclude_categories=()), max_size=60)  # lone surrogates and controls too
pieces = (
    st.sampled_from([*TAGS, "<", ">", "&", "&lt;", "&#0;", "<!--", "-->", "&nbsp;", "\r\n", '"', "'", "="]) | anything
)
documents = st.lists(pieces, max_size=25).map("".join)
words = st.text(alphabet="abcxyzé \n", max_size=20)


@given(documents)
def test_any_text_becomes_clean_text(text: str):
    """It never raises, never grows, and leaves no control character, lone surrogate, or row of blanks."""
    text_read = readable(text)
    assert len(text_read) <= len(text)
    assert text_read == text_read.strip()
    assert not [c for c in text_read if unicodedata.category(c) in {"Cc", "Cs"} and c != "\n"]
    assert not re.search(r"  |\n\n\n| \n|\n ", text_read)


@given(st.lists(st.sampled_from(TAGS) | words, max_size=25).map("".join))
def test_no_tag_of_html_is_left(text: str):
    """Tags that are written properly all go; what they enclose is not asked here."""
    assert "<" not in readable(text)


@given(
    st.lists(st.sampled_from([tag for tag in TAGS if tag.strip("</>").split()[0] not in DROPPED]) | words, max_size=25)
)
def test_no_word_is_lost(parts: list[str]):
    """Outside scripts, styles and heads every letter comes out, in its order."""
    letters = "".join(part for part in parts if "<" not in part)
    assert re.sub(r"[\s-]", "", readable("".join(parts))) == re.sub(r"\s", "", letters)


@given(documents)
def test_readable_text_is_left_alone(text: str):
    """Without a ``<`` or ``&``, which an entity may have put there, the text is read as it is a second time."""
    once = readable(text)
    assume("<" not in once and "&" not in once)
    assert readable(once) == once
