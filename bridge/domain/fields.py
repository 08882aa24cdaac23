"""Field types that take only what the OpenAPI document says: pydantic alone would read ``"1700000000"`` as a date."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime
from typing import Annotated, Any, Final, cast

from pydantic import AfterValidator, AwareDatetime, BeforeValidator
from pydantic_core import PydanticCustomError

ONE_LINE: Final[dict[str, Any]] = {"not": {"type": "string", "pattern": r"\n"}}
"""Goes with a pattern in a JSON Schema: ``$`` also matches before a last line feed in some engines, in ours not."""

_EXACT = 2**53  # from there on, a float no longer says which whole number was meant
_DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_INSTANT = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]+)?(Z|[+-][0-9]{2}:[0-9]{2})")


def whole_numbers(value: Any) -> Any:
    """Return decoded JSON with 30.0 as 30: both are integers to JSON Schema, only 30 to pydantic's strict mode."""
    if isinstance(value, float):
        return int(value) if value.is_integer() and abs(value) < _EXACT else value
    if isinstance(value, dict):
        return {name: whole_numbers(part) for name, part in cast("dict[str, Any]", value).items()}
    return [whole_numbers(part) for part in cast("list[Any]", value)] if isinstance(value, list) else value


# Both parse the text themselves: what a validator hands on, pydantic's strict mode wants as the type itself.


def _read_day(value: object) -> object:
    if isinstance(value, date):
        return value
    try:
        return date.fromisoformat(value) if isinstance(value, str) and _DAY.fullmatch(value) else _no_day()
    except ValueError:
        return _no_day()


def _read_instant(value: object) -> object:
    if isinstance(value, datetime):
        return value
    try:
        written = value.upper() if isinstance(value, str) else ""
        return datetime.fromisoformat(written) if _INSTANT.fullmatch(written) else _no_instant()
    except ValueError:
        return _no_instant()


def _utc(at: datetime) -> datetime:
    try:
        return at.astimezone(UTC)
    except OverflowError:  # 0001-01-01 east of Greenwich
        return _no_instant()


def _no_day() -> date:
    raise PydanticCustomError("date_parsing", "not a date")


def _no_instant() -> datetime:
    raise PydanticCustomError("datetime_parsing", "not a time")


Day = Annotated[date, BeforeValidator(_read_day)]
"""A date as ``YYYY-MM-DD``."""

Instant = Annotated[AwareDatetime, BeforeValidator(_read_instant), AfterValidator(_utc)]
"""A time as RFC 3339 with an offset; held, and given back, in UTC."""
