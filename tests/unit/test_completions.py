"""What a completion is called in the log: its name, or the last segment of its IRI (decision 12)."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from bridge import wiring
from bridge.domain.lrs.serialization import make_canonical
from bridge.domain.statements.completions import Completion, last_segment, meaning
from bridge.settings import load
from tests.support.statements import completed

RULES = wiring.rules(load())
BLANK = (
    "<p>&nbsp;</p>",
    "<ul><li></li></ul>",
    "<!-- nothing --><br/>",
    "&#8203;&shy;&zwj;&lrm;",
    "\u200b\u200c\u2060\ufeff",
    "\u00ad",
    "\u202a\u202c\u2066\u2069\u200e\u061c",
    "\ufe0f\U000e0100\u034f\u180e",
    "\u115f\u1160\u3164\uffa0",
    "\u2800 \U000e0041\U000e007f",
    "\u0301",
    "\x00\x1f\ud800",
    " \u3000\t\n",
)


def words_of(name: dict[str, str]) -> tuple[str, str]:
    """Title and description of a completion whose Activity has these as its name and as its description."""
    activity = {"id": "https://learn.example.org/c/markup-name", "definition": {"name": name, "description": name}}
    completion = meaning(completed(object=activity), datetime.now(UTC), RULES)
    assert isinstance(completion, Completion)
    return completion.title, completion.description


@pytest.mark.parametrize("blank", BLANK)
def test_a_text_that_shows_nothing_hides_no_other_language(blank: str) -> None:
    """The next language's counts, another spelling of the tag included; with no other there is no name."""
    assert words_of({"en-GB": blank, "cy": "Cwrs diogelu"}) == ("Cwrs diogelu", "Cwrs diogelu")
    assert words_of({"en-GB": blank, "en_gb": "Safeguarding", "cy": "Cwrs"})[0] == "Safeguarding"
    assert words_of({"en-GB": blank, "cy": blank}) == ("markup-name", "")


@pytest.mark.parametrize("name", ["<b>x</b>", "\u200bx", "\u2019", "\U0001f600", "5", "\u05d0\u200f", "\u1112\u1161"])
def test_a_text_that_shows_something_counts(name: str) -> None:
    """However little it is, and in whatever script."""
    assert words_of({"en-GB": name, "cy": "Cwrs"})[0] != "Cwrs"


def test_the_lrs_shows_no_language_that_shows_nothing() -> None:
    """The canonical format passes over it too; with nothing else, all are shown as they are."""
    completion = completed(
        object={"id": "https://x.example.org/1", "definition": {"name": {"en-GB": "<p></p>", "cy": "Cwrs"}}}
    )
    canonical_form = make_canonical(completion, {}, ("en-GB",))
    assert canonical_form["object"]["definition"]["name"] == {"cy": "Cwrs"}


@pytest.mark.parametrize(
    ("iri", "title"),
    [
        ("https://learn.example.org/course/42?return=https://portal.example.org/my/", "42"),
        ("https://learn.example.org/course/42/#/slide/7", "42"),
        ("https://learn.example.org/course/42?a=1#b?c=/d", "42"),
        ("https://learn.example.org/course/42#sam@example.org/?x", "42"),
        ("https://learn.example.org/view.php?id=7", "view.php"),
        ("https://learn.example.org/Mental%20Capacity%20Act", "Mental Capacity Act"),
        ("https://learn.example.org/caf%C3%A9/", "caf\u00e9"),
        ("https://learn.example.org/a%2Fb", "a/b"),
        ("https://learn.example.org/caf%E9", "caf%E9"),
        ("https://learn.example.org/42/%E2%80%8B/%20/./", "42"),
        ("https://key:secret@learn.example.org/?q=/x", "learn.example.org"),
        ("https://learn.example.org", "learn.example.org"),
        ("urn:isbn:0451450523?+x#y/z", "isbn:0451450523"),
        ("x:?a=b", "x:"),
    ],
)
def test_a_title_is_the_last_segment_of_the_path(iri: str, title: str) -> None:
    """Never of query or fragment (RFC 3986 §3.3), and with its percent escapes undone."""
    assert last_segment(iri) == title
