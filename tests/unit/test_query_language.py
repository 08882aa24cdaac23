"""MongoDB's query language is spoken in the store alone (bridge/store)."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[2]
OPERATOR = re.compile(r"\$[a-z][A-Za-z]*")
JSON_SCHEMA = {"$comment", "$defs", "$id", "$ref", "$schema"}


def operators(source: str) -> Iterator[str]:
    """The texts of a module that MongoDB would take for an operator, parts of f-strings included."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and OPERATOR.fullmatch(node.value):
            yield node.value


def test_no_operator_outside_the_store() -> None:
    """Filters and changes are typed values that the store turns into queries."""
    modules = [path for top in ("bridge", "consumers", "deploy", "schemas") for path in (ROOT / top).rglob("*.py")]
    outside = [path for path in modules if ROOT / "bridge" / "store" not in path.parents]
    assert len(outside) > 100
    words_of = {path.relative_to(ROOT): set(operators(path.read_text())) - JSON_SCHEMA for path in outside}
    assert {path: words for path, words in words_of.items() if words} == {}


def test_an_operator_is_seen() -> None:
    """The check sees keys of queries, of changes, and field paths."""
    assert list(operators('x = {"$set": {"a": f"$b"}, "c": "$5", "d": "$.e"}')) == ["$set", "$b"]
