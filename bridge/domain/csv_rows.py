"""Rows of a CSV file (RFC 4180) by a template's columns: what each cell stands for, and which could not be read.

A row counts as a spreadsheet does, the header being row 1, so that a fault is found where it is told of.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

from bridge.domain.cells import row, unguarded
from bridge.domain.forms import FormField
from bridge.errors import FieldError, Malformed, ValidationFailed
from bridge.texts import Text, counted

MAX_FAULTS: Final = 200
"""Faults that are listed; the rest is counted."""

SEPARATOR: Final = ";"
"""Between the words of one cell, where a field takes several."""

_SEVERAL: Final = {"tags", "choices"}
_WRITTEN: Final = {"text", "long_text"}  # kept byte for byte
_TRUTH: Final = {"true": True, "yes": True, "false": False, "no": False}
_WHOLE = re.compile(r"-?[0-9]{1,18}")
_HEADER = 1
_SHOWN = 100  # characters of an unknown column's name that are repeated


@dataclass(frozen=True, slots=True)
class Row:
    """A row of the file that holds anything: its number, field name → value, and the cells that could not be read."""

    number: int
    values: dict[str, Any]
    faults: tuple[FieldError, ...] = ()


def template(columns: Sequence[FormField]) -> str:
    """The file that somebody fills in: the header row."""
    return row(column.name for column in columns)


def in_row(number: int, fault: FieldError) -> FieldError:
    """The fault of one cell, told with its row; one without a label is of the whole row."""
    label = (
        Text("Row {number}, {field}", number=number, field=fault.label)
        if fault.label
        else Text("Row {number}", number=number)
    )
    return FieldError(f"/rows/{number}{fault.pointer}", label, fault.message)


def refuse(faults: Sequence[FieldError]) -> None:
    """Raise ``ValidationFailed`` when there is any fault; the first ``MAX_FAULTS`` are listed, all are counted."""
    if faults:
        raise ValidationFailed(_summary(len(faults)), field_errors=faults[:MAX_FAULTS])


def _summary(count: int) -> Text:
    if count > MAX_FAULTS:
        message = Text("{n} faults were found, and nothing was imported; the first {listed} are listed.")
        return message.filled(n=count, listed=MAX_FAULTS)
    return counted(
        "{n} fault was found, and nothing was imported.", "{n} faults were found, and nothing was imported.", count
    )


def read_rows(raw: bytes, columns: Sequence[FormField]) -> Iterator[Row]:
    """Yield the rows of a file by its template's columns; a cell that cannot be read is a fault of its row.

    Raises ``Malformed`` (not CSV in UTF-8), and ``ValidationFailed`` for a header row that does not fit, as nothing
    else can be told then, or when there is nothing below it.
    """
    records = _records(_text(raw))
    header = _header(next(records, [""]), columns)
    is_empty = True
    for number, cells in enumerate(records, start=_HEADER + 1):
        if any(cells):
            is_empty = False
            yield _row(number, cells, header)
    if is_empty:
        refuse([whole_row(_HEADER, Text("There are no rows below the header: add at least one."))])


def _text(raw: bytes) -> str:
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise Malformed(Text('The file is not in UTF-8: in a spreadsheet, save it as "CSV UTF-8".')) from None


def _records(text: str) -> Iterator[list[str]]:
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    try:
        yield from reader
    except csv.Error as error:
        message = Text("Line {line} is not CSV as in RFC 4180: {reason}.", line=reader.line_num, reason=str(error))
        raise Malformed(message) from None


def _header(cells: Sequence[str], columns: Sequence[FormField]) -> list[FormField]:
    columns_by_name = {column.name: column for column in columns}
    names = [cell.strip() for cell in cells]
    refuse([in_row(_HEADER, fault) for fault in _header_faults(names, columns_by_name)])
    return [columns_by_name[name] for name in names]


def _header_faults(names: Sequence[str], column_names: Iterable[str]) -> Iterator[FieldError]:
    if not any(names):
        yield FieldError("", "", Text("There is no header row: begin with the template's."))
        return
    for name in dict.fromkeys(names):
        excerpt = name[:_SHOWN]
        pointer = f"/{excerpt.replace('~', '~0').replace('/', '~1')}"
        if name not in column_names:
            message = Text("The template has no such column: remove or rename it, and separate columns by commas.")
            yield FieldError(pointer, excerpt or Text("a column without a name"), message)
        elif names.count(name) > 1:
            yield FieldError(pointer, excerpt, Text("This column is there twice: keep one."))


def _row(number: int, cells: Sequence[str], header: Sequence[FormField]) -> Row:
    if len(cells) != len(header):
        message = Text("This row has {cells} cells, the header {columns}: give each column its cell.")
        return Row(number, {}, (whole_row(number, message.filled(cells=len(cells), columns=len(header))),))
    values: dict[str, Any] = {}
    faults: list[FieldError] = []
    for column, cell in zip(header, cells, strict=True):
        if not cell.strip():
            continue
        try:
            values[column.name] = _value(column, unguarded(cell))
        except ValueError as error:
            faults.append(in_row(number, FieldError(f"/{column.name}", column.label, error.args[0])))
    return Row(number, values, tuple(faults))


def whole_row(number: int, message: str) -> FieldError:
    """Return the fault of a row as a whole."""
    return in_row(number, FieldError("", "", message))


def _value(column: FormField, cell: str) -> Any:
    """What a cell stands for, in JSON's terms; raises ``ValueError`` in words for the person."""
    if column.type in _SEVERAL:
        return [column.value_of(word) for part in cell.split(SEPARATOR) if (word := part.strip())]
    if column.type in _WRITTEN:
        return cell
    readers: dict[str, Callable[[str], Any]] = {"integer": _whole, "boolean": _truth, "choice": column.value_of}
    return readers.get(column.type, str)(cell.strip())


def _whole(cell: str) -> int:
    if not _WHOLE.fullmatch(cell):
        raise ValueError(Text("Give a whole number, in digits."))
    return int(cell)


def _truth(cell: str) -> bool:
    if cell.lower() not in _TRUTH:
        raise ValueError(Text("Give yes or no, or true or false."))
    return _TRUTH[cell.lower()]
