"""A plan as a calendar (RFC 5545): an item is an event of whole days, from its start to its completion date.

An item with one of the two dates is an event of that day; one without any has no place in a calendar, and is left out.
Of the member's words an event has the title alone, since calendars are shared, and synchronised by others.
"""

from __future__ import annotations

import re
from collections.abc import AsyncGenerator, AsyncIterable, Mapping
from datetime import date, timedelta
from typing import Any, Final, TypeVar

from icalendar import Calendar, Component, Event

from bridge.domain.record.plan import NOT_EXPECTED

C = TypeVar("C", bound=Component)

NAME: Final = "CPD plan"
NO_TITLE: Final = "No title yet"
PRODUCT: Final = "-//cpd-bridge//CPD plan//EN"

_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029]+")
"""Characters that a TEXT may not hold (RFC 5545 §3.3.11), and line ends, which a summary does not need."""


async def calendar_pieces(items: AsyncIterable[Mapping[str, Any]]) -> AsyncGenerator[bytes]:
    """Give a calendar of plan items piece by piece: its head, an event for each item that has a date, and its end."""
    head, end, rest = _frame().partition(b"END:VCALENDAR")
    yield head
    async for item in items:
        event = plan_event(item)
        if event is not None:
            yield event.to_ical()
    yield end + rest


def plan_event(item: Mapping[str, Any]) -> Event | None:
    """Return the event of an item, or None for one without dates.

    The UID is the item's id and DTSTAMP the time of its last change, so that a calendar knows an event again and sees
    whether it is newer (§3.8.7.2). The time is not taken as busy.
    """
    days = sorted(day for day in (item.get("start_date"), item.get("completion_date")) if day)
    if not days:
        return None
    first, last = date.fromisoformat(days[0]), date.fromisoformat(days[-1])
    properties: dict[str, object] = {
        "uid": item["id"],
        "dtstamp": item["updated_at"],
        "created": item["created_at"],
        "last-modified": item["updated_at"],
        "summary": _summary(item),
        "dtstart": first,
        "status": "CANCELLED" if item.get("status") in NOT_EXPECTED else "CONFIRMED",
        "transp": "TRANSPARENT",
        "class": "PRIVATE",
    }
    if last < date.max:
        properties["dtend"] = last + timedelta(days=1)  # the first day that is not of the event any more (§3.8.2.2)
    return _with_properties(Event(), properties)


def _summary(item: Mapping[str, Any]) -> str:
    return _CONTROL.sub(" ", item.get("title") or "").strip() or item.get("reference") or NO_TITLE


def _frame() -> bytes:
    # Most programs read the second name, and not the one of RFC 7986.
    names = {"version": "2.0", "prodid": PRODUCT, "name": NAME, "x-wr-calname": NAME}
    return _with_properties(Calendar(), names).to_ical()


def _with_properties(component: C, properties: Mapping[str, object]) -> C:
    for name, value in properties.items():
        component.add(name, value)  # pyright: ignore[reportUnknownMemberType] - its types say not what a value may be
    return component
