"""What a member can do with a period, and the word that says why not (R26, R54)."""

from __future__ import annotations

from datetime import UTC, date, datetime

import pytest

from bridge.domain.audit.actions import period_actions, why_not_submit
from bridge.domain.audit.cases import StoredCase, new_case
from bridge.domain.members.members import MembershipYear

PERIOD = MembershipYear(date(2026, 4, 1), date(2027, 3, 31))
CASE = new_case(
    "c-1", "m-1", PERIOD, date(2026, 5, 1), by="register-1", at=datetime(2026, 4, 2, tzinfo=UTC), sample_id=None,
    today=date(2026, 4, 2),
)  # fmt: skip


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
    cases: list[StoredCase] = [{**CASE, "state": state} for state in states]
    assert why_not_submit(PERIOD, cases) == reason
    for year in (2025, 2027):
        assert why_not_submit(MembershipYear(date(year, 4, 1), date(year + 1, 3, 31)), cases) == "not_selected"


def test_a_case_is_of_days_whatever_the_years_are_now():
    """R54, R82: each year that has days of the case can be submitted, and no other."""
    starts = [date(year, 6, 1) for year in (2024, 2025, 2026, 2027)]
    years = [MembershipYear(start, start.replace(year=start.year + 1, month=5, day=31)) for start in starts]
    reasons = [why_not_submit(year, [{**CASE, "state": "selected"}]) for year in years]
    assert reasons == ["not_selected", None, None, "not_selected"]


def test_a_frozen_period_takes_nothing_more_and_gives_everything():
    """R56, R75: a frozen year is closed to entries and comments, and open to exports."""
    enabled = {action["name"]: action["enabled"] for action in period_actions(PERIOD, frozen=True, cases=[])}
    assert enabled == {
        "log_activity": False,
        "add_comment": False,
        "export_pdf": True,
        "export_zip": True,
        "submit_for_review": False,
    }
