"""The name of a download, as its header tells it (RFC 6266, RFC 8187)."""

from __future__ import annotations

import re
from urllib.parse import unquote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.api.http.transfers import attachment
from bridge.domain.record.files import safe_name

# RFC 6266 §4.1 with RFC 8187 §3.2.1: a quoted string without escapes, then ASCII letters and percent-encoded bytes.
GRAMMAR = re.compile(
    r"attachment; filename=\"([ !#-\[\]-~]*)\"; filename\*=UTF-8''((?:[A-Za-z0-9!#$&+.^_`|~-]|%[0-9A-F]{2})*)"
)


@pytest.mark.parametrize(
    ("name", "header"),
    [
        ("a b.pdf", "attachment; filename=\"a b.pdf\"; filename*=UTF-8''a%20b.pdf"),
        ("é.pdf", "attachment; filename=\"_.pdf\"; filename*=UTF-8''%C3%A9.pdf"),
        ('"50%\\.pdf', "attachment; filename=\"_50__.pdf\"; filename*=UTF-8''%2250%25%5C.pdf"),
        ("a'b(c).txt", "attachment; filename=\"a'b(c).txt\"; filename*=UTF-8''a%27b%28c%29.txt"),
    ],
)
def test_names(name: str, header: str) -> None:
    """A name is told twice: plainly for old clients, and whole."""
    assert attachment(name) == header


@given(st.text(st.characters(codec="utf-8")))
def test_any_name_is_told_whole(given_name: str) -> None:
    """Whatever a file is called, the header keeps to its grammar and gives the name back."""
    name = safe_name(given_name)
    match = GRAMMAR.fullmatch(attachment(name))
    assert match is not None
    assert unquote(match[2]) == name
