"""The first page of a copy of everything held about a member: what it is, and what UK GDPR art. 15 asks for."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from string import Template
from typing import Final

TITLE: Final = "A copy of your personal data"

_PARTS = [part.partition("\n") for part in Path(__file__).with_name("notice.txt").read_text("utf-8").split("# ")[1:]]
Page = Sequence[tuple[str, str]]
"""A title and a text for each part."""


def first_page(privacy_url: str | None, periods: str) -> Page:
    """Return the parts of the first page, with how long what is kept, and where the privacy notice is (R65)."""
    page = [(title, Template(text.strip()).substitute(periods=periods)) for title, _, text in _PARTS]
    return [*page, ("The privacy notice", privacy_url)] if privacy_url else page


def as_text(member: str, made_at: str, page: Page) -> bytes:
    """Return the first page as plain text, in UTF-8."""
    parts = [(TITLE, f"{member}\nMade at {made_at}"), *page]
    return "\n\n".join(f"{title}\n{'-' * len(title)}\n{text}" for title, text in parts).encode() + b"\n"
