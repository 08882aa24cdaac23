"""Schedules: what runs once a day, hour or minute, whichever worker does it."""

from __future__ import annotations

from datetime import datetime
from typing import NotRequired, TypedDict


class Schedule(TypedDict):
    """A document of ``schedules``."""

    _id: str  # the task
    done: NotRequired[str]  # the last day done: YYYY-MM-DD, or any text whose order is that of time
    leased_until: NotRequired[datetime]  # until when the worker that is at it has it alone
