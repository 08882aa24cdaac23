"""What a member can do with a period, and the word that says why not (R26, R54)."""

from __future__ import annotations

import pytest

from bridge.domain.actions import actions, why_not_submit

PERIOD = "2026-04-01"


@pytest.mark.parametrize(
    ("states", "reason"),
    [
        ([], "not_selected"),
        (["selected"], None),
        (["returned"], None),
        (["submitted"], "already_submitted"),
        (["closed"], "not_selected"),
        (["selected", "closed"], None),
        (["submitted", "withdrawn"], "already_submitted"),
    ],
)
def test_only_an_open_case_of_the_period_can_be_submitted(states: list[str], reason: str | None):
    """R54: submitting follows from the state of the member's cases of this very period."""
    cases = [{"period_id": PERIOD, "state": state} for state in states]
    assert why_not_submit(PERIOD, cases) == reason
    assert why_not_submit("2025-04-01", cases) == "not_selected"


def test_a_frozen_period_takes_nothing_more_and_gives_everything():
    """R56, R75: a frozen year is closed to entries and comments, and open to exports."""
    enabled = {action["name"]: action["enabled"] for action in actions(PERIOD, frozen=True, cases=[])}
    assert enabled == {
        "log_activity": False,
        "add_comment": False,
        "export_pdf": True,
        "export_zip": True,
        "submit_for_review": False,
    }
