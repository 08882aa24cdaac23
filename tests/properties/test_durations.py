"""Durations against an independent computation in exact fractions."""

from __future__ import annotations

from fractions import Fraction
from math import floor

from hypothesis import given
from hypothesis import strategies as st

from bridge.domain.statements.completions import minutes

SECONDS = {"D": 86_400, "H": 3600, "M": 60, "S": 1}


@st.composite
def durations(draw: st.DrawFn) -> tuple[str, Fraction]:
    """A duration of days, hours, minutes and seconds, and its exact length in seconds."""
    units = [unit for unit in SECONDS if draw(st.booleans())] or ["S"]
    numbers = [str(draw(st.integers(0, 120))) for _ in units]
    if draw(st.booleans()):  # steps that are whole microseconds, which is what the service measures in
        numbers[-1] += f".{draw(st.integers(0, 999)):03}"
    parts = dict(zip(units, numbers, strict=True))
    time = "".join(parts[unit] + unit for unit in "HMS" if unit in parts)
    text = "P" + (parts["D"] + "D" if "D" in parts else "") + (f"T{time}" if time else "")
    return text, sum((Fraction(number) * SECONDS[unit] for unit, number in parts.items()), Fraction(0))


@given(durations())
def test_minutes_are_the_nearest_and_at_least_one(duration: tuple[str, Fraction]):
    """The exact length, rounded half up, is what comes out, and nothing for no time."""
    text, seconds = duration
    assert minutes(text) == (max(1, floor(seconds / 60 + Fraction(1, 2))) if seconds else None)


@given(st.text(alphabet="P0123456789.,YMWDTHS-+ \n") | st.text())
def test_any_text_is_minutes_or_nothing(text: str):
    """No text raises, and what is read lies between a minute and 366 days."""
    result = minutes(text)
    assert result is None or 1 <= result <= 366 * 1440
