"""Every rule of the requirements that a member meets is named by a test, or has its reason here."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

TESTS = Path(__file__).parents[1]
RULES = [*range(1, 53), *range(66, 83)]
WITHOUT_TEST = {70: "a non-goal: nothing imports from the account dashboard, so there is nothing to call"}
"""Rule → why no test can fail without it."""

NAMED = re.compile(r"\bR(\d+)(?:\s*(?:-|to)\s*R?(\d+))?\b")


def rules_named() -> dict[int, list[str]]:
    """Rule → the tests whose docstring names it."""
    found: dict[int, list[str]] = {}
    for file in sorted(TESTS.rglob("test_*.py")):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name.startswith("test_"):
                for first, last in NAMED.findall(ast.get_docstring(node) or ""):
                    for rule in range(int(first), int(last or first) + 1):
                        found.setdefault(rule, []).append(f"{file.stem}::{node.name}")
    return found


@pytest.mark.parametrize("rule", RULES)
def test_each_rule_is_named_by_a_test(rule: int) -> None:
    """A rule without a test shows itself by its number."""
    assert rules_named().get(rule) or WITHOUT_TEST.get(rule), f"no test names R{rule}"
