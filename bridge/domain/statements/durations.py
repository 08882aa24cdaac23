"""Durations of xAPI results (xAPI-Data §4.6; ISO 8601-1 §5.5.2) as the minutes a log entry records."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import cast

import isodate  # pyright: ignore[reportMissingTypeStubs] - it ships no types

_NUMBER = r"\d{1,12}"
_LAST = r"(?:[.,]\d{1,20}(?=[YMWDHS]\Z))?"  # only the last component may have a fraction


def _component(designator: str) -> str:
    return rf"(?:{_NUMBER}{_LAST}{designator})?"


# isodate alone takes more than the standard does: signs, and parts in another format after the T.
_DURATION = re.compile(
    rf"P(?:{_NUMBER}{_LAST}W"
    rf"|(?=\d|T\d){_component('Y')}{_component('M')}{_component('D')}"
    rf"(?:T(?=\d){_component('H')}{_component('M')}{_component('S')})?)\Z",
    re.ASCII,
)
LONGEST = timedelta(days=366)


def minutes(duration: str) -> int | None:
    """The nearest whole number of minutes (a half goes up), and at least 1 when any time was spent.

    ``None`` for what is not an ISO 8601 duration, for no time at all (less than a microsecond), for years and months,
    which have no fixed length, and for more than 366 days, which nobody spent on one activity.
    """
    if not _DURATION.match(duration):
        return None
    try:
        spent = cast("object", isodate.parse_duration(duration))  # pyright: ignore[reportUnknownMemberType] - likewise
    except OverflowError:  # too many days for a timedelta, so more than 366
        return None
    if not isinstance(spent, timedelta) or not timedelta(0) < spent <= LONGEST:
        return None
    return max(1, (spent + timedelta(seconds=30)) // timedelta(minutes=1))
