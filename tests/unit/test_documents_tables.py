"""CSV that a spreadsheet opens without running anything, and JSON that loses nothing (R73, CSV injection)."""

from __future__ import annotations

import csv
import io
from collections.abc import AsyncGenerator, Iterable
from datetime import UTC, datetime
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.documents import tables
from bridge.domain import cells
from bridge.domain.forms import STANDARD


async def rows_of(rows: Iterable[Any]) -> AsyncGenerator[Any]:
    """The rows, as a store would give them."""
    for row in rows:
        yield row


async def table(rows: Iterable[Any], names: list[str], *, bom: bool = False) -> bytes:
    """A whole table."""
    return b"".join([piece async for piece in tables.csv_table(names, rows_of(rows), bom=bom)])


BEFORE = ["", " ", "\u00a0", "\u3000", "\ufeff", "\u200b", "\x00", "\t", "\r", "\n", "'"]
SIGNS = ["=", "+", "-", "@", "\uff1d", "\uff0b", "\uff0d", "\uff20", "\ufe66", "\ufe62", "\ufe63", "\ufe6b", "\u2212"]


@pytest.mark.parametrize("sign", SIGNS)
@pytest.mark.parametrize("before", [*BEFORE, "''"])
def test_formulas_are_disarmed(before: str, sign: str) -> None:
    """A cell that a spreadsheet would run begins with an apostrophe (OWASP): in any width, after what nobody sees."""
    text = f"{before}{sign}cmd|' /C calc'!A0"
    assert tables.cell(text) == f"'{text}"


@pytest.mark.parametrize("text", ["\tx", "\rx", "\nx", "'\nx"])
def test_a_cell_does_not_begin_with_a_break(text: str) -> None:
    """What follows it might be read as a cell of its own."""
    assert tables.cell(text) == f"'{text}"


@pytest.mark.parametrize("text", ["", "'tis", "a=b", "1-2", "\u2013 dash", "\u60b2\u50b7", "'", " 5", "\u200fx"])
def test_what_is_no_formula_stays_as_it_is(text: str) -> None:
    """No apostrophe where none is needed."""
    assert tables.cell(text) == text


@given(st.lists(st.text() | st.text(st.sampled_from([*BEFORE[1:], *SIGNS, '"', ";", ",", "x"])), min_size=1))
def test_cells_lose_nothing(texts: list[str]) -> None:
    """Whatever is typed comes back from a file, each cell of which is in quotes, and as it was from an import."""
    line = cells.row([tables.cell(text) for text in texts])
    (cell_row,) = list(csv.reader(io.StringIO(line, newline="")))
    assert [cells.unguarded(cell) for cell in cell_row] == texts
    assert not any(cell.lstrip()[:1] in tuple("=+-@") for cell in cell_row if cell.strip())
    assert line == ",".join('"' + cell.replace('"', '""') + '"' for cell in cell_row) + "\r\n"


async def test_one_row_a_record_in_utf8() -> None:
    """Line breaks, quotes and separators stay inside their cell; a mark for Excel comes first when asked for."""
    rows = [
        {"a": 'one, "two"\nthree', "b": None},
        {"a": True, "b": ["x", "y"]},
        {"a": datetime(2026, 1, 2, tzinfo=UTC)},
    ]
    text = await table(rows, ["a", "b"], bom=True)
    assert text.startswith(b'\xef\xbb\xbf"a","b"\r\n')
    read = list(csv.reader(io.StringIO(text.decode("utf-8-sig"), newline="")))
    assert read[1:] == [['one, "two"\nthree', ""], ["true", "x; y"], ["2026-01-02T00:00:00.000Z", ""]]


async def test_json_is_faithful() -> None:
    """JSON keeps what CSV has to change, and an empty list is one."""
    rows = [{"a": "=1+1", "b": ["\x00", "悲傷"], "at": datetime(2026, 1, 2, tzinfo=UTC), "raw": b'{"x":1}'}]
    text = b"".join([piece async for piece in tables.json_list(rows_of(rows))])
    assert orjson.loads(text) == [{**rows[0], "at": "2026-01-02T00:00:00Z", "raw": '{"x":1}'}]
    assert orjson.loads(b"".join([piece async for piece in tables.json_list(rows_of([]))])) == []


def test_every_column_has_its_meaning() -> None:
    """The data dictionary explains each column of the table, in its order (R73)."""
    forms = STANDARD.versions("log")
    names = tables.columns(forms, tables.LOG_FACTS)
    meanings = list(tables.dictionary("log", forms, tables.LOG_FACTS, "en"))
    assert [row["column"] for row in meanings] == names
    assert all(row["meaning"] for row in meanings)
    assert {"title", "impact_on_practice", "draft", "id"} <= set(names)
