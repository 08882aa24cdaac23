"""Cursors and sort orders."""

from __future__ import annotations

import base64
from datetime import UTC, date, datetime
from typing import Any

import orjson
import pytest

from bridge.api.http.pagination import PageQuery, decode_cursor, encode_cursor, parse_sort
from bridge.errors import ValidationFailed


class Filtered(PageQuery):
    """A list with a filter."""

    draft: bool | None = None


def after(cursor: str, scope: str = "log:m1", **query_fields: Any) -> list[Any] | None:
    """The position that a cursor names."""
    return decode_cursor(scope, Filtered(cursor=cursor, **query_fields), (bool, str, str))


@pytest.mark.parametrize("values", [[False, "2026-03-31", "id"], [True, "", "é\0/"]])
def test_cursor_comes_back(values: list[Any]) -> None:
    """The last row's values come back as they went in, whatever the page size."""
    cursor = encode_cursor(values, "log:m1", Filtered(sort="-date", limit=10))
    assert after(cursor, sort="-date", limit=20) == values


def test_first_page_has_no_position() -> None:
    """Without a cursor there is no position."""
    assert decode_cursor("log:m1", Filtered(), (bool, str, str)) is None


@pytest.mark.parametrize("query_fields", [{"sort": "date"}, {"draft": True}, {"scope": "plan:m1"}, {"scope": "log:m2"}])
def test_cursor_is_for_one_query(query_fields: dict[str, Any]) -> None:
    """Another sort, filter, list or member is another query."""
    cursor = encode_cursor([False, "1", "id"], "log:m1", Filtered())
    with pytest.raises(ValidationFailed) as refusal:
        after(cursor, **query_fields)
    assert [fault.pointer for fault in refusal.value.field_errors] == ["?cursor"]


def forged(values: Any) -> str:
    """A cursor of ours with other values in it; ``MARK`` stands for what binds it to the query."""
    cursor = encode_cursor([False, "1", "id"], "log:m1", Filtered())
    mark = orjson.loads(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))[0]
    changes = orjson.dumps(values).replace(b"MARK", mark.encode())
    return base64.urlsafe_b64encode(changes).decode().rstrip("=")


def test_unforged_cursor() -> None:
    """The forging below goes wrong by its values alone."""
    assert after(forged(["MARK", True, "2", "id"])) == [True, "2", "id"]


@pytest.mark.parametrize(
    "values",
    [
        ["MARK", False, {"$gt": ""}, "id"],
        ["MARK", False, ["x"], "id"],
        ["MARK", False, None, "id"],
        ["MARK", 0, "1", "id"],
        ["MARK", False, "1", 2**64 - 1],
        ["MARK", False, "1"],
        ["MARK", False, "1", "2", "id"],
        {"mark": "MARK"},
        "MARK",
        [],
    ],
    ids=str,
)
def test_forged_cursor(values: Any) -> None:
    """A forged cursor brings no operator, no other type and no other number of values."""
    with pytest.raises(ValidationFailed):
        after(forged(values))


@pytest.mark.parametrize("at", ["yesterday", "0001-01-01T00:00:00+14:00", 5, None])
def test_a_forged_time(at: Any) -> None:
    """A time that is none, or beyond those that can be compared, is refused; one of ours is read."""
    cursor = encode_cursor(["2026-03-31T10:00:00+00:00", "id"], "log:m1", Filtered())
    shape = (datetime, str)
    assert decode_cursor("log:m1", Filtered(cursor=cursor), shape) == [datetime(2026, 3, 31, 10, tzinfo=UTC), "id"]
    with pytest.raises(ValidationFailed):
        decode_cursor("log:m1", Filtered(cursor=forged(["MARK", at, "id"])), shape)


def test_only_scalars_go_in() -> None:
    """A date must go in as text, so that it comes back as what the store compares."""
    with pytest.raises(TypeError):
        encode_cursor([False, date(2026, 3, 31), "id"], "log:m1", Filtered())  # pyright: ignore[reportArgumentType] - the point


def test_sort_is_read() -> None:
    """Fields keep their order, a minus means descending, and no text no order."""
    assert parse_sort("-date, title", {"date", "title"}) == [("date", True), ("title", False)]
    assert parse_sort("", {"date"}) == []


@pytest.mark.parametrize("text", ["size", "date,date", "date,-date", "--date", "-", ",", "date,"])
def test_sort_is_refused(text: str) -> None:
    """An unknown field, or one named twice, is refused with the choices."""
    with pytest.raises(ValidationFailed, match="any of date, title"):
        parse_sort(text, {"title", "date"})
