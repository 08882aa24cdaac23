"""How the code reads: names that say what they hold, classes with a name of their own, queries in the store alone."""

from __future__ import annotations

import ast

import pytest

from tests.figures import PARTS, allowed, figures, offenders, query_language, twice, untyped
from tests.support.code import ROOT, Place, Source
from tests.support.names import banned


@pytest.mark.parametrize("part", PARTS)
def test_no_offender_is_added(part: str) -> None:
    """A banned name, a class name twice or a query outside the store occurs no more often than listed."""
    allowance = allowed()[part]
    growth = {text: count for text, count in offenders()[part].items() if count > allowance.get(text, 0)}
    assert not growth, f"each with its line: make figures FIGURES='--list {PARTS[part]}'"


def test_each_figure_is_held() -> None:
    """A figure keeps its limit, or gets no worse than listed."""
    allowance = allowed()["bounds"]
    worse = [
        f"{figure.label}: {figure.value:.2f}"
        for figure in figures(ROOT)
        if not figure.holds and figure.value > allowance.get(figure.key, 0)
    ]
    assert not worse


SAMPLE = """
class Row(TypedDict):
    told: str

class Told:
    frozen: int
    noted: bool
    noted_at: int
    sent: Document

class Told:
    pass

CLOSED = "closed"
DONE = "finished"

def given(one: dict[str, Any], held: Mapping[str, int], due: bool) -> None:
    found = {"$set": one, "c": f"$b", "d": "$5"}
    locked = one is None
    for it, entry in found:
        one.kept = entry
"""


def test_what_counts_as_an_offender() -> None:
    """Pronouns and participles count, but not states, truth values, the field's words and a document's fields."""
    sample = [Source("bridge/sample.py", 21, ast.parse(SAMPLE))]
    assert {place.text for place in banned(sample)} == {"sent", "DONE", "one", "found", "it", "kept"}
    assert [place.text for place in untyped(sample)] == ["Document", "dict[str, Any]"]
    assert twice(sample) == [Place("bridge/sample.py", 5, "Told"), Place("bridge/sample.py", 11, "Told")]
    assert [place.text for place in query_language(sample)] == ["$set", "$b"]
