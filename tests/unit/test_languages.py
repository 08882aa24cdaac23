"""Choosing a text from a language map (RFC 4647 lookup, xAPI-Data §4.2)."""

from __future__ import annotations

import pytest

from bridge.domain.record.markup import is_visible
from bridge.domain.statements.completions import ranked

BRITISH = ("en-GB", "en")


@pytest.mark.parametrize(
    ("language_map", "languages", "index"),
    [
        ({"en": "plain", "en-GB": "British"}, BRITISH, "British"),
        ({"en-us": "American", "EN-gb": "British"}, BRITISH, "British"),
        ({"en_GB": "British"}, BRITISH, "British"),
        ({"en-US": "American", "en": "plain"}, ("en-GB",), "plain"),
        ({"cy": "Welsh", "en-US": "American"}, ("en-GB",), "American"),
        ({"cy": "Welsh", "en-US": "American"}, ("en-GB", "cy"), "American"),
        ({"en-AU": "Australian", "en-US": "American"}, ("en-GB", "en-US"), "American"),
        ({"cy": "Welsh", "und": "undetermined"}, BRITISH, "undetermined"),
        ({"cy": "Welsh", "fr": "French"}, BRITISH, "Welsh"),
        ({"zh-Hant": "traditional", "zh": "any"}, ("zh-Hant-x-private",), "traditional"),
        ({"zh-Hant-x": "odd", "zh-Hant": "right"}, ("zh-Hant-x-private",), "right"),
        ({"en-GB": " \n", "en-US": "American"}, BRITISH, "American"),
        ({"en-GB": "", "EN-gb": "British"}, BRITISH, "British"),
        ({"cy": "Welsh"}, ("*",), "Welsh"),
        ({"cy": "Welsh"}, (), "Welsh"),
        ({"en": "\t"}, BRITISH, None),
        ({}, BRITISH, None),
    ],
)
def test_the_best_text_is_picked(language_map: dict[str, str], languages: tuple[str, ...], index: str | None):
    """Exact, shortened, another variety, ``und``, any: in that order, and never a blank text."""
    assert next(filter(is_visible, ranked(language_map, languages)), None) == index
