"""What a member types finds what they wrote, whatever the script, case or accents (R20)."""

from __future__ import annotations

import re
import unicodedata

from hypothesis import given
from hypothesis import strategies as st

from bridge.domain.list_keys import MAX_TOKEN, query_terms, tokens

texts = st.text(alphabet=st.sampled_from("aÀéßŒﬁ ɢΣ-'_1½日本語カガｶﾞไทย한글हिन्दीعربי") | st.characters(), max_size=80)


def _finds(q: str, text: str) -> bool:
    words = tokens([text])
    return all(any(token.startswith(term) for token in words) for term in query_terms(q))


@given(texts, st.data())
def test_the_start_of_any_word_finds_the_text(text: str, data: st.DataObject):
    """Every word of a text (letters, numbers and their marks), cut off after any character, finds it."""
    words = "".join(c if unicodedata.category(c)[0] in "LMN" else " " for c in text).split()
    if words:
        word = data.draw(st.sampled_from(words))
        assert _finds(word[: data.draw(st.integers(1, len(word)))], text)


@given(texts)
def test_a_text_finds_itself(text: str):
    """All of a text, as a query, finds it, split wherever it is split."""
    assert _finds(text, text)


@given(st.text(alphabet="abcdefg ÀÉÎÕÜçñåßΣσЖй", max_size=60))
def test_case_and_accents_do_not_matter(text: str):
    """A text without its accents, in capitals or decomposed has the same tokens."""
    plain = "".join(c for c in unicodedata.normalize("NFD", text) if not unicodedata.combining(c))
    assert tokens([text]) == tokens([plain]) == tokens([text.upper()]) == tokens([unicodedata.normalize("NFD", text)])


@given(st.lists(st.text(max_size=100), max_size=5))
def test_tokens_and_terms_are_plain_words(several: list[str]):
    """Letters and digits only, none empty, none over the limit, sorted and distinct."""
    words = tokens(several)
    assert words == sorted(set(words))
    for word in words + [term for text in several for term in query_terms(text)]:
        assert re.fullmatch(r"\w+", word)
        assert len(word) <= MAX_TOKEN
