"""Values in words for a reader: dates, minutes, choices and ticks (WCAG: never only a picture)."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime
from typing import Any, cast

from bridge.domain.record.forms import FormField
from bridge.domain.record.periods import day_in_words

UNITS = ("bytes", "KB", "MB", "GB")


def format_value(field: FormField, value: Any) -> str:
    """Return a field's value as text; the empty text for one that is not answered."""
    if value in (None, "", []):
        return ""
    if field.type == "boolean":
        return "Yes" if value else "No"
    if field.type == "date":
        return format_day(str(value))
    if field.name == "minutes":
        return f"{value} ({format_minutes(int(value))})" if int(value) >= 60 else str(value)
    if field.type in {"choice", "choices", "tags"}:
        labels = {choice.value: choice.label for choice in field.choices}
        several = cast("list[Any]", value) if isinstance(value, list) else [value]
        return ", ".join(labels.get(str(item), str(item)) for item in several)
    return str(value)


def format_day(text: str) -> str:
    """Return ``2025-04-01`` as "1 April 2025"; what is no date comes back as it is."""
    try:
        return day_in_words(date.fromisoformat(text[:10]))
    except ValueError:
        return text


def format_time(value: datetime | str) -> str:
    """Return a time in UTC, RFC 3339 or ``datetime``, as "1 April 2025, 14:30 UTC"."""
    at = datetime.fromisoformat(value) if isinstance(value, str) else value
    return f"{day_in_words(at.date())}, {at:%H:%M} UTC"


def format_minutes(count: int) -> str:
    """Return minutes as "1 hour 30 minutes"."""
    hours, rest = divmod(count, 60)
    parts = [format_count(hours, "hour")] if hours else []
    return " ".join([*parts, format_count(rest, "minute")] if rest or not hours else parts)


def format_count(count: int, noun: str) -> str:
    """Return "1 entry", "2 entries": a number with its noun."""
    plural = f"{noun[:-1]}ies" if noun.endswith("ry") else f"{noun}s"
    return f"{count:,} {noun if count == 1 else plural}"


def format_size(count: int) -> str:
    """Return a number of bytes as "1.4 MB"."""
    value, unit = float(count), 0
    while value >= 1000 and unit < len(UNITS) - 1:
        value, unit = value / 1000, unit + 1
    return f"{value:.1f} {UNITS[unit]}" if unit else f"{count} bytes"


def format_state(record: Mapping[str, Any]) -> str:
    """Return what the tick in Complete would show (R25, R38)."""
    if record.get("complete"):
        return "Complete"
    return "Draft" if record.get("draft") else "Finished, with questions left open"
