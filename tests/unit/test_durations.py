"""ISO 8601 durations as minutes: what is taken, what is refused (xAPI-Data §4.6)."""

from __future__ import annotations

import pytest

from bridge.domain.statements.completions import minutes


@pytest.mark.parametrize(
    ("duration", "expected"),
    [
        ("PT0H5M2S", 5),
        ("PT1S", 1),
        ("PT29.99S", 1),
        ("PT89.999S", 1),
        ("PT90S", 2),
        ("PT1234S", 21),
        ("PT1.5H", 90),
        ("PT0,5M", 1),
        ("P1DT1H", 1500),
        ("P2W", 20160),
        ("P0Y0M1D", 1440),
        ("P366D", 527040),
    ],
)
def test_a_duration_is_its_nearest_minutes(duration: str, expected: int):
    """Halves go up, and any time at all is a minute."""
    assert minutes(duration) == expected


@pytest.mark.parametrize(
    "duration",
    [
        "",
        "P",
        "PT",
        "P1",
        "1H",
        "PT1",
        "P1H",
        "PT1D",
        "PT1M1H",
        "PT1.5H1M",
        "P1W1D",
        "P1DT",
        "-PT1H",
        "+PT1H",
        "PT-1H",
        "pt1h",
        " PT1H",
        "PT1H ",
        "PT1H\n",
        "PT1.H",
        "PT.5H",
        "PT٣H",
        "P0003-06-04T12:30:05",
        "PT1e3S",
        "one hour",
    ],
)
def test_what_is_not_a_duration_has_no_minutes(duration: str):
    """Only the format of the standard is read, with a fraction in the last component alone."""
    assert minutes(duration) is None


@pytest.mark.parametrize("duration", ["P1Y", "P1M", "P1Y2M3DT4H", "P0.5Y"])
def test_years_and_months_have_no_fixed_length(duration: str):
    """A month is not 30 days."""
    assert minutes(duration) is None


@pytest.mark.parametrize("duration", ["PT0S", "P0D", "PT0.0S", "P0W", "P0Y"])
def test_no_time_is_not_recorded(duration: str):
    """Nought is what content sends that does not measure."""
    assert minutes(duration) is None


@pytest.mark.parametrize("duration", ["P367D", "P366DT1S", "P53W", "P999999999999W", "PT" + "9" * 5000 + "S"])
def test_absurd_durations_are_not_recorded(duration: str):
    """More than 366 days, up to what no number type holds, is nobody's time."""
    assert minutes(duration) is None
