"""Tokens of a record and terms of a query (R20)."""

from __future__ import annotations

import pytest

from bridge.domain.list_keys import MAX_TOKEN, MAX_TOKENS, query_terms, tokens


def test_words_are_normalised_distinct_and_sorted():
    """Accents, case, width and ligatures do not matter, punctuation splits."""
    assert tokens(["Café, CAFÉ; ﬁnding!", "Straße it's R2D2_x \uff21"]) == [
        "a",
        "cafe",
        "finding",
        "it",
        "r2d2",
        "s",
        "strasse",
        "x",
    ]


@pytest.mark.parametrize(
    ("q", "terms"),
    [
        ("Grief  counselling grief", ["grief", "counselling"]),
        ("^.*$ \\d+ (", ["d"]),
        (" -- _ ", []),
        ("日本語の勉強会に参加", ["日本語の勉強会に", "参加"]),
        ("第3章abc", ["第", "3", "章", "abc"]),
        ("x" * 60, ["x" * MAX_TOKEN]),
    ],
)
def test_a_query_becomes_terms(q: str, terms: list[str]):
    """In their order, once each, and never with a character that a regular expression would read."""
    assert query_terms(q) == terms


@pytest.mark.parametrize(
    ("text", "q"), [("第三章の勉強会に参加した", "勉強会"), ("ความรู้ใหม่", "ใหม่"), ("カウンセリング入門", "ｾﾘﾝｸﾞ")]
)
def test_a_word_inside_unspaced_text_is_found(text: str, q: str):
    """Chinese, Japanese and Thai put no space before a word."""
    assert all(any(token.startswith(term) for token in tokens([text])) for term in query_terms(q))


def test_no_word_is_lost_below_the_limit_and_the_first_stay_above_it():
    """The limit counts different words, and what came first is kept."""
    words = [f"w{number}" for number in range(MAX_TOKENS + 5)]
    assert tokens([" ".join(words[:MAX_TOKENS] * 2)]) == sorted(words[:MAX_TOKENS])
    assert tokens(words) == sorted(words[:MAX_TOKENS])
