"""Which rules of the requirements the tests name."""

from __future__ import annotations

import ast
import re
from pathlib import Path

TESTS = Path(__file__).parents[1]
RULES = [*range(1, 53), *range(66, 83)]
WITHOUT_TEST = {70: "a non-goal: nothing imports from the account dashboard, so there is nothing to call"}
"""Rule → why no test can fail without it."""

RULE_NUMBER = re.compile(r"\bR(\d+)(?:\s*(?:-|to)\s*R?(\d+))?\b")


def rules_named() -> dict[int, list[str]]:
    """Rule → the tests whose docstring names it."""
    tests_by_rule: dict[int, list[str]] = {}
    for file in sorted(TESTS.rglob("test_*.py")):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name.startswith("test_"):
                for first, last in RULE_NUMBER.findall(ast.get_docstring(node) or ""):
                    for rule in range(int(first), int(last or first) + 1):
                        tests_by_rule.setdefault(rule, []).append(f"{file.stem}::{node.name}")
    return tests_by_rule


def without_test() -> list[str]:
    """The rules with no test, each with the reason if it has one."""
    rules = rules_named()
    return [f"R{rule}: {WITHOUT_TEST.get(rule, 'NO REASON')}" for rule in RULES if rule not in rules]
