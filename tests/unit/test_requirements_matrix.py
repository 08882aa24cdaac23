"""Every rule of the requirements that a member meets is named by a test, or has its reason; each run prints those."""

from __future__ import annotations

import pytest

from tests.support.rules import RULES, WITHOUT_TEST, rules_named

TESTS_BY_RULE = rules_named()


@pytest.mark.parametrize("rule", RULES)
def test_each_rule_is_named_by_a_test(rule: int) -> None:
    """A rule without a test shows itself by its number."""
    assert TESTS_BY_RULE.get(rule) or WITHOUT_TEST.get(rule), f"no test names R{rule}"
