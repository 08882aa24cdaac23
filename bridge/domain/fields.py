"""Values of a request as they are taken: JSON (how deep it may be, whole numbers), days, entity tags.

JSON is taken only as the OpenAPI document says: pydantic alone would read ``"1700000000"`` as a date. Entity tags are
those of ``If-Match`` and ``If-None-Match`` (RFC 9110 §8.8.3, §13.1).
"""

from __future__ import annotations

import base64
import re
from collections.abc import Sequence
from contextlib import suppress
from datetime import UTC, date, datetime, time, timedelta
from typing import Annotated, Any, Final, cast

import orjson
from pydantic import BeforeValidator
from pydantic_core import PydanticCustomError

ONE_LINE: Final[dict[str, Any]] = {"not": {"type": "string", "pattern": r"\n"}}
"""Goes with a pattern in a JSON Schema: ``$`` also matches before a last line feed in some engines, in ours not."""

DEEPEST: Final = 252
"""Objects and arrays within each other: ``orjson`` writes two more, for the arrays of an answer, and reads 1,024."""

_EXACT = 2**53  # from there on, a float no longer says which whole number was meant
_DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")


def is_deep(value: object, levels: int = DEEPEST) -> bool:
    """Say whether decoded JSON has more than ``levels`` objects and arrays within each other."""
    level = _containers([value])
    for _ in range(levels):
        if not level:
            return False
        level = [inner for container in level for inner in _containers(container)]
    return bool(level)


def _containers(value: Any) -> list[Any]:
    children = cast("dict[str, Any]", value).values() if isinstance(value, dict) else cast("list[Any]", value)
    return [child for child in children if isinstance(child, dict | list)]


def check_encoded(part: bytes) -> None:
    """Raise ``ValueError`` unless a part of a JWS (RFC 7515 §7.1) is JSON in base64url, nested at most ``DEEPEST``."""
    value: object = orjson.loads(base64.urlsafe_b64decode(part + b"=" * (-len(part) % 4)))
    if is_deep(value):
        raise ValueError(f"JSON that is nested at most {DEEPEST} levels deep was expected")


def whole_numbers(value: Any) -> Any:
    """Return decoded JSON with 30.0 as 30: both are integers to JSON Schema, only 30 to pydantic's strict mode."""
    if isinstance(value, float):
        return int(value) if value.is_integer() and abs(value) < _EXACT else value
    if isinstance(value, dict):
        return {name: whole_numbers(part) for name, part in cast("dict[str, Any]", value).items()}
    return [whole_numbers(part) for part in cast("list[Any]", value)] if isinstance(value, list) else value


def _read_day(value: object) -> object:
    """Return the day itself, as pydantic's strict mode wants it of a validator."""
    if isinstance(value, date):
        return value
    if isinstance(value, str) and _DAY.fullmatch(value):
        with suppress(ValueError):
            return date.fromisoformat(value)
    raise PydanticCustomError("date_parsing", "not a date")


def utc_bound(moment: date | None, otherwise: datetime, days: int = 0) -> datetime:
    """Return a time in UTC: of a day its beginning, so many days later; what is out of range is as far as it goes."""
    if moment is None:
        return otherwise
    try:
        if isinstance(moment, datetime):
            return moment.astimezone(UTC)
        return datetime.combine(moment, time(), UTC) + timedelta(days=days)
    except OverflowError:
        return otherwise


Day = Annotated[date, BeforeValidator(_read_day)]
"""A date as ``YYYY-MM-DD``."""

ANY_TAG: Final = "*"
"""What stands for whichever entity tag there is; as a tag, in quotes, it is a tag like any other."""

_TAG = r'(?:W/)?"[\x21\x23-\x7e\x80-\U0010ffff]*"'
_LIST = re.compile(rf"\s*{_TAG}(?:\s*,\s*{_TAG})*\s*")


def read_tags(header: str) -> Sequence[str]:
    """The tags of a header, in their quotes and weak ones with ``W/``, or ``ANY_TAG`` alone; raises ``ValueError``."""
    if header.strip() == ANY_TAG:
        return (ANY_TAG,)
    if not _LIST.fullmatch(header):
        raise ValueError("a list of entity tags, or *, was expected")
    return re.findall(_TAG, header)


def matches_strongly(tags: Sequence[str], tag: str | None) -> bool:
    """Whether ``If-Match`` holds for what has this strong ``tag`` (None: for nothing): a weak tag never does."""
    return tag is not None and (ANY_TAG in tags or tag in tags)


def matches_weakly(tags: Sequence[str], tag: str | None) -> bool:
    """Whether ``If-None-Match`` names what has this ``tag``: ``W/`` makes no difference."""
    return tag is not None and (ANY_TAG in tags or tag in {entry.removeprefix("W/") for entry in tags})
