"""Masking shows structure and hides people."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.domain.privacy.masking import MASK, masked
from tests.support.statements import completed


def test_a_statement_keeps_its_structure_and_loses_its_people() -> None:
    """Ids, IRIs, times and durations stay; names, addresses, accounts and texts do not."""
    statement = completed(
        actor={"objectType": "Agent", "name": "Sam", "mbox": "mailto:sam@example.org"},
        result={"response": "I felt sad", "duration": "PT1H", "extensions": {"https://x.org/a": 7}, "success": True},
        context={"registration": "5e3f5a0e-2f4b-4a8e-9d6f-7a3d1f1b2c3d", "language": "en-GB"},
    )
    masked_statement = masked(statement)
    assert masked_statement["actor"] == {"objectType": "Agent", "name": MASK, "mbox": MASK}
    assert masked_statement["result"] == {
        "response": MASK,
        "duration": "PT1H",
        "extensions": {"https://x.org/a": MASK},
        "success": True,
    }
    assert masked_statement["context"] == statement["context"]
    assert (masked_statement["id"], masked_statement["verb"]["id"]) == (statement["id"], statement["verb"]["id"])
    assert (masked_statement["object"]["id"], masked_statement["timestamp"]) == (
        statement["object"]["id"],
        statement["timestamp"],
    )
    assert (
        masked_statement["object"]["definition"]["name"]
        == masked_statement["object"]["definition"]["description"]
        == {"en-GB": MASK}
    )


@pytest.mark.parametrize(
    "value",
    ["sam@example.org", {"id": "mailto:sam@example.org"}, {"sam@example.org": 1}, {"surprise": "Sam"}, ["Sam"], "Sam"],
)
def test_what_is_not_known_to_be_harmless_is_hidden(value: Any) -> None:
    """Addresses wherever they stand, properties that are not listed, and bare texts are masked."""
    assert "sam" not in str(masked(value)).lower()


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text() | st.sampled_from(["name", "id", "extensions"]), inner),
)


def addresses(value: Any) -> bool:
    """Whether an @ is anywhere in it."""
    return "@" in str(value)


@given(values)
def test_no_address_ever_shows(value: Any) -> None:
    """Whatever comes, no text with an @ is left."""
    assert not addresses(masked(value))
