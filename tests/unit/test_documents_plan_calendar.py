"""A plan as a calendar, as another library reads it (RFC 5545)."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Sequence
from datetime import UTC, date, datetime
from typing import Any, cast

import pytest
import vobject  # pyright: ignore[reportMissingTypeStubs] - it has none

from bridge.documents.plan_calendar import calendar_pieces

UPDATED_AT = datetime(2026, 5, 6, 7, 8, 9, tzinfo=UTC)
CREATED_AT = datetime(2026, 4, 1, tzinfo=UTC)


def item(**fields: Any) -> dict[str, Any]:
    """A plan item as an export reads it."""
    plain = {"id": "0b7f", "title": "Frailty", "status": "planned", "created_at": CREATED_AT, "updated_at": UPDATED_AT}
    return {**plain, "start_date": "2026-05-01", "completion_date": "2026-11-30", **fields}


def written(*items: dict[str, Any]) -> bytes:
    """The file of these items."""

    async def rows() -> AsyncGenerator[dict[str, Any]]:
        for row in items:
            yield row

    async def whole() -> bytes:
        return b"".join([piece async for piece in calendar_pieces(rows())])

    return asyncio.run(whole())


def events(*items: dict[str, Any]) -> Sequence[Any]:
    """The events that another library reads in the file of these items; the whole is valid to it."""
    calendar = cast("Any", vobject.readOne(written(*items).decode()))  # pyright: ignore - it has no types
    assert calendar.validate(raiseException=True)
    return calendar.contents.get("vevent", [])


def test_an_event_lasts_from_start_to_completion() -> None:
    """Whole days, the end being the day after; the same id and a stamp of the last change; and no busy time."""
    (event,) = events(item())
    assert (event.uid.value, event.summary.value, event.dtstamp.value) == ("0b7f", "Frailty", UPDATED_AT)
    assert (event.dtstart.value, event.dtend.value) == (date(2026, 5, 1), date(2026, 12, 1))
    assert (event.status.value, event.transp.value, event.contents["class"][0].value) == (
        *("CONFIRMED", "TRANSPARENT", "PRIVATE"),
    )


@pytest.mark.parametrize(
    ("start", "end", "span"),
    [
        ("2026-05-01", None, (date(2026, 5, 1), date(2026, 5, 2))),
        (None, "2026-11-30", (date(2026, 11, 30), date(2026, 12, 1))),
        ("2026-05-01", "2026-05-01", (date(2026, 5, 1), date(2026, 5, 2))),
        ("0001-01-01", "9999-12-30", (date.min, date.max)),
        (None, "9999-12-31", (date.max, None)),
        (None, None, None),
        ("", "", None),
    ],
)
def test_one_date_is_a_day_and_none_is_no_event(
    start: str | None, end: str | None, span: tuple[date, date | None] | None
) -> None:
    """An item with a single date is on that day; what has none is left out, and is no reason for an invalid file."""
    spans = [
        (event.dtstart.value, event.dtend.value if hasattr(event, "dtend") else None)
        for event in events(item(start_date=start, completion_date=end))
    ]
    assert spans == ([span] if span else [])


@pytest.mark.parametrize("status", ["not_pursued", "carried_forward"])
def test_what_goes_no_further_is_cancelled(status: str) -> None:
    """Calendars strike it through, or hide it."""
    assert [event.status.value for event in events(item(status=status))] == ["CANCELLED"]


@pytest.mark.parametrize(
    ("title", "summary"),
    [
        ('Semi;colons, commas\\ and "quotes"', 'Semi;colons, commas\\ and "quotes"'),
        ("Two\r\nlines\x00\x1b\u2028here", "Two lines here"),
        ("BEGIN:VEVENT\nUID:other\nEND:VEVENT", "BEGIN:VEVENT UID:other END:VEVENT"),
        ("Sgìl ŵ 🌱👩‍🔬 שלום " * 20, ("Sgìl ŵ 🌱👩‍🔬 שלום " * 20).strip()),
        ("", "P3"),
        (" \n", "P3"),
        (None, "P3"),
    ],
)
def test_a_title_is_read_back_as_it_was_written(title: str | None, summary: str) -> None:
    """Any characters, in one line and no more than one event; lines are folded between characters."""
    assert [event.summary.value for event in events(item(title=title, reference="P3"))] == [summary]
    lines = [line.decode() for line in written(item(title=title, reference="P3")).split(b"\r\n")]
    assert max(len(line.encode()) for line in lines) <= 75


def test_only_the_title_is_told() -> None:
    """What the member reflects on stays out of a file that calendars share."""
    texts = {name: f"secret {name}" for name in ("learning_need", "notes", "status_reason", "resources", "themes")}
    assert b"secret" not in written(item(**texts))


def test_many_items_make_one_calendar() -> None:
    """Head and end once, and the events in the order of the plan; a plan without any is a calendar all the same."""
    rows = [item(id=f"i-{number}", title=f"Item {number}") for number in range(300)]
    assert [event.uid.value for event in events(*rows)] == [row["id"] for row in rows]
    content = written()
    assert (content[:15], content[-15:], list(events())) == (b"BEGIN:VCALENDAR", b"END:VCALENDAR\r\n", [])
