"""The year of the sample members fits whenever ``cpd-bridge dev`` is started."""

from __future__ import annotations

from datetime import date

import pytest

from deploy.dev.samples import members
from deploy.dev.year import filling_of, sample_year
from schemas.xapi import is_valid


@pytest.mark.parametrize("today", [date(2026, 6, 1), date(2026, 5, 31), date(2024, 2, 29), date(2026, 1, 1)])
def test_no_completion_is_of_the_future(today: date) -> None:
    """On the first day of a membership year as on its last, each statement is valid, and of this year or the last."""
    statements = 0
    for member in members():
        filling = filling_of("", "", member, sample_year(), today)
        for statement in filling.statements():
            assert is_valid(statement)
            assert filling.years[-1].start.isoformat() <= str(statement["timestamp"])[:10] <= today.isoformat()
            statements += 1
    assert statements > 20
