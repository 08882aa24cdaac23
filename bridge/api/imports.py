"""``/v1/imports/log``: log entries from a CSV file."""

from __future__ import annotations

from collections.abc import AsyncIterable, Iterator
from functools import cache
from typing import Final

import orjson
from aiohttp import web
from pydantic import BaseModel, Field, ValidationError

from bridge.api.forms import with_fields
from bridge.api.http import validation_errors
from bridge.api.http.context import SETTINGS, Call
from bridge.api.http.routing import Answer, Routes
from bridge.api.http.service_keys import FORMS, IMPORTS
from bridge.api.http.transfers import FORM, attachment, file_part, in_time, pieces
from bridge.api.log import LogEntryIn
from bridge.domain.csv_rows import Row, in_row, refuse, template
from bridge.domain.forms import Forms, Values
from bridge.domain.record.csv_import import columns, read
from bridge.domain.record.files import in_words
from bridge.errors import FieldError, RecordFrozen, TooLarge, UnsupportedMediaType
from bridge.services.record.imports import NewEntry
from bridge.texts import Text

routes = Routes("Imports", "Log entries from a file.")

CSV: Final = "text/csv"
EXAMPLE: Final = (
    "title,type,date,minutes,description,tags,participatory,draft\r\n"
    'Working with grief,course,2026-05-04,90,"A day on loss, in later life.",grief; groups,yes,no\r\n'
)


class ImportedEntries(BaseModel):
    """The entries that an import made."""

    created: int = Field(description="Entries made.")
    ids: list[str] = Field(description="Their ids, in the order of the rows.")


@routes.post(
    "/v1/imports/log",
    roles={"member"},
    takes={
        CSV: {"type": "string", "examples": [EXAMPLE]},
        FORM: {
            "type": "object",
            "properties": {"file": {"type": "string", "contentMediaType": CSV, "description": "The CSV file."}},
            "required": ["file"],
            "additionalProperties": False,
        },
    },
    answer=ImportedEntries,
    status=201,
    idempotent=True,
    timed=False,
    problems=(RecordFrozen,),
    description="CSV in UTF-8 (RFC 4180) by the template: a header row with any of its columns in any order, then a "
    "row for each entry. Dates are `YYYY-MM-DD`, truths `yes`, `no`, `true` or `false`, tags are separated by `;`. "
    "`draft` is `yes` unless the file says `no`. All rows are checked first, and then all are written or none. A "
    "fault's `pointer` is `/rows/<row>/<column>`, where the header is row 1; at most 200 are listed.",
)
async def import_log(call: Call) -> Answer:
    """Import log entries from CSV (R33)."""
    settings, forms = call.request.app[SETTINGS], call.service(FORMS)
    async with in_time(call):
        raw = await _whole(await _content(call, settings.import_max_bytes), settings.import_max_bytes)
    rows = _checked(read(raw, forms.current("log"), settings.import_max_rows), _model(forms))
    return Answer(await call.service(IMPORTS).run(call.caller.subject, rows, call.attempt(raw)))


@routes.get(
    "/v1/imports/log/template.csv",
    roles={"member"},
    gives={CSV: {"type": "string"}},
    description="The header row, with a column for each field of the current form (`/v1/forms/log`) and `draft`.",
)
async def get_log_template(call: Call) -> web.Response:
    """The template of a log import."""
    content = template(columns(call.service(FORMS).current("log")))
    headers = {"Content-Disposition": attachment("cpd-log-template.csv")}
    return web.Response(text=content, content_type=CSV, charset="utf-8", headers=headers)


async def _content(call: Call, max_bytes: int) -> AsyncIterable[bytes]:
    """Return the file's content, from a form or as the body itself."""
    if call.request.content_type == FORM:
        return (await file_part(call, max_bytes)).content
    if call.request.content_type != CSV or (call.request.charset or "utf-8").lower() not in {"utf-8", "utf8"}:
        raise UnsupportedMediaType(
            Text("Send the file as Content-Type: {csv}; charset=utf-8, or in a {form}.", csv=CSV, form=FORM)
        )
    return pieces(call)


async def _whole(content: AsyncIterable[bytes], max_bytes: int) -> bytes:
    held = bytearray()
    async for data in content:
        held += data
        if len(held) > max_bytes:
            raise TooLarge(Text("A file may have up to {size}; split it.", size=in_words(max_bytes)))
    return bytes(held)


@cache
def _model(forms: Forms) -> type[BaseModel]:
    """The same model that a single new entry has to fit."""
    return with_fields(LogEntryIn, forms, "log", {})


def _checked(rows: list[Row], model: type[BaseModel]) -> list[NewEntry]:
    """The entries to make; raises ``ValidationFailed`` that names every cell at fault, in the order of the rows."""
    refuse([fault for row in rows for fault in (*row.faults, *_misfits(row, model))])
    return [NewEntry(row.number, _form_values(row), row.values.get("draft", True)) for row in rows]


def _misfits(row: Row, model: type[BaseModel]) -> Iterator[FieldError]:
    try:
        model.model_validate_json(orjson.dumps(row.values), strict=True)
    except ValidationError as error:
        in_body = validation_errors.of_body(error, row.values, model, frozenset())
        yield from (in_row(row.number, fault) for fault in in_body)


def _form_values(row: Row) -> Values:
    return {name: value for name, value in row.values.items() if name != "draft"}
