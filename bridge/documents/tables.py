"""CSV (RFC 4180) and JSON, row by row: the CSV for a spreadsheet, the JSON faithful to the letter (R73)."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterable, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final, cast

import orjson

from bridge.domain import cells
from bridge.domain.forms import Form
from bridge.texts import Text

Row = Mapping[str, Any]

BOM: Final = b"\xef\xbb\xbf"

ENTRY_FACTS: Final[Mapping[str, Text]] = {
    "complete": Text("true when the record is finished and no needed field is empty"),
    "missing_fields": Text("needed fields that are empty"),
    "form_version": Text("the version of the form that the record was made with"),
    "created_at": Text("when the record was made (RFC 3339, UTC)"),
    "updated_at": Text("when it was last changed (RFC 3339, UTC)"),
    "id": Text("the record's own id"),
}
LOG_FACTS: Final[Mapping[str, Text]] = {
    "draft": Text("true while the record is marked as a draft"),
    "source": Text("learning_centre, manual or import"),
    "period_id": Text("the first day of the membership year"),
    "plan_ids": Text("ids of the plan items it is linked with"),
    "finished_at": Text("when it was first complete"),
    **ENTRY_FACTS,
}
PLAN_FACTS: Final[Mapping[str, Text]] = {
    "log_ids": Text("ids of the log entries it is linked with"),
    "carried_to": Text("id of the item that it goes on as in a later year"),
    "carried_from": Text("id of the item of an earlier year that it goes on from"),
    **ENTRY_FACTS,
}


def columns(forms: Sequence[Form], facts: Mapping[str, str]) -> list[str]:
    """Return the columns of a table: the fields of every version of a form, newest first, then what is known of it."""
    return list(dict.fromkeys([*(field.name for form in forms for field in form.fields), *facts]))


def dictionary(table: str, forms: Sequence[Form], facts: Mapping[str, Text], language: str) -> Iterable[Row]:
    """Return what each column of a table means, a row a column; its words are in a language, its names the API's."""
    fields = {field.name: field for form in reversed(forms) for field in form.to(language).fields}
    for name in columns(forms, facts):
        field = fields.get(name)
        yield {
            "table": table,
            "column": name,
            "label": field.label if field else "",
            "type": field.type if field else "",
            "needed_for_complete": field.required if field else "",
            "choices": [f"{choice.value}: {choice.label}" for choice in field.choices] if field else "",
            "meaning": field.help if field else facts[name].to(language),
        }


DICTIONARY: Final = ("table", "column", "label", "type", "needed_for_complete", "choices", "meaning")


async def csv_table(names: Sequence[str], rows: AsyncIterable[Row], *, bom: bool) -> AsyncGenerator[bytes]:
    """Give a table with a header row; ``bom`` puts a byte order mark first, which Excel wants to see UTF-8."""
    yield (BOM if bom else b"") + cells.row(names).encode()
    async for row in rows:
        yield cells.row([cell(row.get(name)) for name in names]).encode()


async def json_list(rows: AsyncIterable[Row]) -> AsyncGenerator[bytes]:
    """Give the rows as one JSON array, a row a line."""
    before = b"[\n"
    async for row in rows:
        yield before + dumped(row)
        before = b",\n"
    yield b"[]\n" if before == b"[\n" else b"\n]\n"


def dumped(value: Any) -> bytes:
    """Return a value as JSON; times in UTC, bytes as text where they are UTF-8."""
    return orjson.dumps(value, default=_other, option=orjson.OPT_UTC_Z)


def cell(value: Any) -> str:
    """Return what a cell says, guarded where a spreadsheet might calculate it."""
    return cells.guarded(_text(value))


def _text(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    if isinstance(value, list | tuple):
        return "; ".join(_text(part) for part in cast("list[Any]", value))
    return dumped(value).decode() if isinstance(value, dict) else str(value)


def _other(value: object) -> Any:
    if isinstance(value, bytes):
        try:
            return value.decode()
        except UnicodeDecodeError:
            return value.hex()
    if isinstance(value, int):  # beyond 64 bits
        return str(value)
    raise TypeError(f"no JSON for {type(value).__name__}")
