"""Files of members, as ``cpd-bridge members import`` takes them: CSV by a template, or NDJSON as in the ``PUT``.

In CSV a cell may hold several values, separated by ``;``: accounts are ``HOMEPAGE#NAME``, days away and years
``FIRST/LAST``. What that cannot say (a name with a ``;`` or a ``#``) goes into NDJSON.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final, cast

import orjson

from bridge.domain.csv_rows import Row, read_rows, whole_row
from bridge.domain.fields import is_deep, whole_numbers
from bridge.domain.forms import FormField
from bridge.domain.members.identifiers import KINDS
from bridge.domain.members.messages import is_member_id
from bridge.errors import FieldError
from bridge.texts import Text

ID: Final = "member_id"
"""The field of a row that the ``PUT`` has in its path."""

NO_ID: Final = "A member id has up to 128 letters, digits and . _ : @ -, and begins with a letter or a digit."


def _column(name: str, kind: str = "string") -> FormField:
    return FormField(name, Text(name), Text(name), "factual", kind)


COLUMNS: Final = (
    *map(_column, (ID, "name", "email", "language")),
    _column("registered", "boolean"),
    *map(_column, ("registered_since", "renewal_date")),
    *(_column(name, "tags") for name in ("periods", "leave", *KINDS)),
)
"""The columns of the template."""


def read_members(raw: bytes) -> Iterator[Row]:
    """Yield the rows of a file, each with ``ID`` and the body of ``PUT /v1/members/{id}``.

    What begins with a brace is NDJSON, anything else CSV, whose header is row 1. Raises ``Malformed`` and
    ``ValidationFailed`` for what is neither.
    """
    is_ndjson = raw[:100].removeprefix(b"\xef\xbb\xbf").lstrip().startswith(b"{")
    return _json_rows(raw) if is_ndjson else map(_with_nested, read_rows(raw, COLUMNS))


def fault_of_row(number: int, pointer: str, message: str) -> FieldError:
    """Return a fault of a field in a row; its label names the row and the column, or the place in the body."""
    field = _field_of(pointer)
    return FieldError(f"/rows/{number}{pointer}", f"Row {number}, {field}" if field else f"Row {number}", message)


def _field_of(pointer: str) -> str:
    """Return the column that a place in the body is of: an identifier's is its kind."""
    parts = pointer.removeprefix("/").split("/")
    return parts[2] if parts[0] == "identifiers" and parts[2:] else parts[0]


def faults_of_id(row: Row) -> list[FieldError]:
    """Return the fault of a row's member id, if it has one."""
    member_id = row.values.get(ID)
    if isinstance(member_id, str) and is_member_id(member_id):
        return []
    return [fault_of_row(row.number, f"/{ID}", "This is needed: fill it in." if member_id is None else NO_ID)]


def is_unreadable(row: Row) -> bool:
    """Say whether a row could not be read at all, so that nothing can be said of its fields."""
    return any(fault.pointer == f"/rows/{row.number}" for fault in row.faults)


def _json_rows(raw: bytes) -> Iterator[Row]:
    for number, line in enumerate(raw.removeprefix(b"\xef\xbb\xbf").splitlines(), start=1):
        if line.strip():
            yield _json_row(number, line)


def _json_row(number: int, line: bytes) -> Row:
    try:
        value: Any = orjson.loads(line)
    except orjson.JSONDecodeError:
        return Row(number, {}, (whole_row(number, "This line is not JSON: write one object a line."),))
    if not isinstance(value, dict) or is_deep(cast("dict[str, Any]", value)):
        return Row(number, {}, (whole_row(number, "This line is no member: write one object a line."),))
    return Row(number, whole_numbers(cast("dict[str, Any]", value)))


def _with_nested(row: Row) -> Row:
    """Return a row of CSV with its cells of several values as the body has them."""
    values: dict[str, Any] = {name: value for name, value in row.values.items() if name not in KINDS}
    values |= {
        name: [_span(text, names) for text in values[name]]
        for name, names in (("periods", ("start", "end")), ("leave", ("from", "to")))
        if name in values
    }
    return Row(row.number, {**values, "identifiers": _identifiers(row.values)}, row.faults)


def _span(text: str, names: Sequence[str]) -> dict[str, str]:
    first, _, last = (part.strip() for part in text.partition("/"))
    return dict(zip(names, (first, last), strict=True))


def _identifiers(values: Mapping[str, Any]) -> list[dict[str, Any]]:
    return [{kind: _identifier(kind, text)} for kind in KINDS for text in values.get(kind, ())]


def _identifier(kind: str, text: str) -> Any:
    if kind != "account":
        return text
    home_page, _, name = text.rpartition("#")
    return {"homePage": home_page, "name": name}
