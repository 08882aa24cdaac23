"""The soak's judgement: what is flat passes, and a leak, a backlog, a loss or a dead letter does not."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.soak.judgement import backlog, growth, quarters, slope, unlike
from tests.soak.watch import Look

FLAT = [
    Look(float(at), {"api": 128 + at % 3}, {"api": 30 + at % 2}, {"api": at / 10}, behind=at % 50, dead=0, outbox=0)
    for at in range(0, 200, 2)
]
LAST = replace(FLAT[-1], behind=0)


def test_what_is_flat_passes() -> None:
    """Noise of a few MiB and a queue that breathes are no fault."""
    assert growth(FLAT) == []
    assert backlog(FLAT, LAST, 200) == []


def test_a_leak_is_seen() -> None:
    """Memory or open files that go on rising after the warming up."""
    assert growth([replace(look, memory={"api": 128 + look.at / 2}) for look in FLAT]) == ["api grew by 50 MiB"]
    assert growth([replace(look, files={"api": 30 + look.at}) for look in FLAT]) == ["api holds 100 more files open"]
    warming = [replace(look, memory={"api": 60 if look.at < 40 else 128.0}) for look in FLAT]
    assert growth(warming) == []


def test_what_waits_is_seen() -> None:
    """More than ten seconds' worth at once, anything that is left at the end, a dead letter."""
    assert "2100 statements waited at once" in backlog([replace(look, behind=2100) for look in FLAT], LAST, 200)
    assert len(backlog(FLAT, replace(LAST, behind=1), 200)) == 1
    assert backlog(FLAT, replace(LAST, dead=2), 200) == ["2 dead letters"]


def test_a_loss_is_seen() -> None:
    """Every statement has its disposition; when a voiding came decides between two, and their sum stays."""
    expected = {"recorded": 90, "withdrawn": 4, "ignored": 3}
    assert unlike(expected, {"recorded": 92, "withdrawn": 2, "ignored": 3, "held": 0}) == []
    assert unlike(expected, {"recorded": 89, "withdrawn": 4, "ignored": 3}) != []
    assert unlike(expected, {"recorded": 90, "withdrawn": 4, "ignored": 2, "dead-lettered": 1}) != []


def test_the_slope_does_not_follow_a_jump() -> None:
    """The median of all slopes: one outlier leaves it as it is."""
    points = [(float(at), 2.0 * at) for at in range(50)]
    assert slope(points) == pytest.approx(2.0)
    assert slope([*points[:20], (20.0, 900.0), *points[21:]]) == pytest.approx(2.0)
    assert quarters([9, 9, 1, 1, 2, 2, 5, 5]) == (1, 5)
