"""Values in words for a reader of a language: dates, minutes, choices and ticks (WCAG: never only a picture)."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime
from typing import Any, cast

from bridge import texts
from bridge.domain.forms import FormField
from bridge.texts import Text, counted

UNITS = ("bytes", "KB", "MB", "GB")


def format_value(field: FormField, value: Any, language: str) -> str:
    """Return a field's value as text; the empty text for one that is not answered."""
    if value in (None, "", []):
        return ""
    if field.type == "boolean":
        return (Text("Yes") if value else Text("No")).to(language)
    if field.type == "date":
        return format_day(str(value), language)
    if field.name == "minutes":
        return f"{value} ({format_minutes(int(value)).to(language)})" if int(value) >= 60 else str(value)
    if field.type in {"choice", "choices", "tags"}:
        values = cast("list[Any]", value) if isinstance(value, list) else [value]
        labels = (texts.translate(field.label_of(item) or str(item), language) for item in values)
        return ", ".join(labels)
    return str(value)


def format_day(text: str, language: str) -> str:
    """Return ``2025-04-01`` as "1 April 2025"; what is no date comes back as it is."""
    try:
        return texts.format_day(date.fromisoformat(text[:10]), language)
    except ValueError:
        return text


def format_time(value: datetime | str, language: str) -> str:
    """Return a time in UTC, RFC 3339 or ``datetime``, as "1 April 2025, 14:30 UTC"."""
    at = datetime.fromisoformat(value) if isinstance(value, str) else value
    return texts.format_time(at, language)


def format_minutes(count: int) -> Text:
    """Return minutes as "1 hour 30 minutes"."""
    hours, rest = divmod(count, 60)
    minutes = counted("{n} minute", "{n} minutes", rest)
    if not hours:
        return minutes
    whole_hours = counted("{n} hour", "{n} hours", hours)
    return Text("{hours} {minutes}", hours=whole_hours, minutes=minutes) if rest else whole_hours


def format_entries(count: int) -> Text:
    """Return a number of log entries, such as "2 entries"."""
    return counted("{n} entry", "{n} entries", count)


def format_size(count: int) -> Text:
    """Return a number of bytes as "1.4 MB"."""
    value, unit = float(count), 0
    while value >= 1000 and unit < len(UNITS) - 1:
        value, unit = value / 1000, unit + 1
    return Text("{n} {unit}", n=round(value, 1), unit=UNITS[unit]) if unit else counted("{n} byte", "{n} bytes", count)


def format_state(record: Mapping[str, Any]) -> Text:
    """Return what the tick in Complete would show (R25, R38)."""
    if record.get("complete"):
        return Text("Complete")
    return Text("Draft") if record.get("draft") else Text("Finished, with questions left open")
