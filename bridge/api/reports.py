"""``/v1/reports``: how completions ended and how the record is used, in numbers that tell of no small group (R64)."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Final

from aiohttp import web
from pydantic import BaseModel, ConfigDict, Field, model_validator

from bridge.api.http.context import Call
from bridge.api.http.inputs import InputModel
from bridge.api.http.routing import Answer, Routes, Schema
from bridge.api.http.schemas import OneOf
from bridge.api.http.service_keys import REPORTS
from bridge.domain.cells import guarded, row
from bridge.domain.fields import ONE_LINE
from bridge.domain.operations.reports import LONGEST_RANGE, Measure, MonthNumber, month_number
from bridge.domain.record import RecordState, Source
from bridge.domain.statements import Disposition, Reason, Via

routes = Routes("Reports", "Numbers that tell of no group of fewer than ten people.")

CSV: Final = "text/csv"
JSON: Final = "application/json"
TOO_FEW: Final = "fewer than 10"
"""What the CSV says in place of a number that is not told."""

COMPLETION_COLUMNS: Final = ("month", "source", "disposition", "reason", "count")
USE_COLUMNS: Final = ("month", "measure", "type", "source", "state", "count")
VARY: Final = {"Vary": "Accept"}

_RANGE = re.compile(r"([a-z*]+/[a-z*]+)[^,]*?(?:;\s*q\s*=\s*([01](?:\.[0-9]{0,3})?))?\s*(?:,|$)", re.IGNORECASE)

HOW: Final = (
    "Each cell is of one calendar month, of this one until now, and the same in every report that has its month; "
    "there are no totals. `count` is rounded down to a ten, and null (`fewer than 10` in CSV) for a group of "
    "fewer than ten people. Without `from` and `to`, the last twelve months, this one included. `Accept: text/csv` "
    "gives the same as CSV."
)

Month = Annotated[str, Field(pattern=r"^[1-9][0-9]{3}-(0[1-9]|1[0-2])$", json_schema_extra=ONE_LINE)]


class ReportQuery(InputModel):
    """The months of a report, both included."""

    first: Month | None = Field(None, alias="from", description="The first month, such as `2026-01`.")
    last: Month | None = Field(None, alias="to", description="The last month; one that is still to come is left out.")

    @model_validator(mode="after")
    def _fits(self) -> ReportQuery:
        first, last = self.months()
        if first is not None and last is not None and not 0 <= last - first < LONGEST_RANGE:
            raise ValueError(f"Give a range of 1 to {LONGEST_RANGE} months: from is its first, and to its last.")
        return self

    def months(self) -> tuple[MonthNumber | None, MonthNumber | None]:
        """Return the first and the last month as numbers."""
        first, last = (month_number(month) if month else None for month in (self.first, self.last))
        return first, last


_CELL: Schema = {"month": "2026-10", "count": 1240, "suppressed": False}
COMPLETION_EXAMPLE: Schema = {**_CELL, "source": "amqp", "disposition": "recorded", "reason": None}
USE_EXAMPLE: Schema = {
    **_CELL,
    "count": 310,
    "measure": "entries",
    "type": "course",
    "source": "learning_centre",
    "state": "draft",
}


class ReportCell(BaseModel):
    """A cell: what its rows have in common, and how many there are."""

    month: str = Field(description="`YYYY-MM`, by the service's time zone.")
    count: int | None = Field(description="Rounded down to a ten; null for a group of fewer than ten people.")
    suppressed: bool


class CompletionReportRow(ReportCell):
    """Statements that came in a month and ended alike."""

    model_config = ConfigDict(json_schema_extra={"examples": [COMPLETION_EXAMPLE]})

    source: Via | None = Field(description="How they came; null for those of before this was noted.")
    disposition: Annotated[str, OneOf(Disposition)]
    reason: Annotated[str, OneOf(Reason)] | None


class UseReportRow(ReportCell):
    """Entries or plan items that were made in a month and are alike now, or the members who have entries of it."""

    model_config = ConfigDict(json_schema_extra={"examples": [USE_EXAMPLE]})

    measure: Measure = Field(description="`members` counts those with an entry in the cells that are told.")
    type: str | None = Field(description="Of entries; null where the member chose none.")
    source: Source | None = Field(description="Of entries.")
    state: RecordState | None = Field(description="A draft's age is told by its month.")


class CompletionReport(BaseModel):
    """How completions ended, by month."""

    items: list[CompletionReportRow]


class UseReport(BaseModel):
    """How the record is used, by month."""

    items: list[UseReportRow]


@routes.get(
    "/v1/reports/completions",
    roles={"register", "platform"},
    query=ReportQuery,
    answer=CompletionReport,
    gives={CSV: {"type": "string"}},
    description=f"Statements by month, way, disposition and reason. {HOW}",
)
async def report_completions(call: Call, query: ReportQuery) -> Answer | web.Response:
    """How completions ended."""
    return _answer(call, COMPLETION_COLUMNS, await call.service(REPORTS).completions(*query.months()))


@routes.get(
    "/v1/reports/use",
    roles={"register", "platform"},
    query=ReportQuery,
    answer=UseReport,
    gives={CSV: {"type": "string"}},
    description=f"Entries, plan items and members by the month in which entries and items were made. {HOW}",
)
async def report_use(call: Call, query: ReportQuery) -> Answer | web.Response:
    """How the record is used."""
    return _answer(call, USE_COLUMNS, await call.service(REPORTS).use(*query.months()))


def _answer(call: Call, columns: Sequence[str], items: Sequence[Mapping[str, Any]]) -> Answer | web.Response:
    """Return the cells as JSON, or as CSV for a caller that would rather have that."""
    if not _wants_csv(call.request.headers.get("Accept", "")):
        return Answer({"items": items}, headers=VARY)
    lines = [row(columns), *(row(_cell(name, item[name]) for name in columns) for item in items)]
    return web.Response(text="".join(lines), content_type=CSV, charset="utf-8", headers=VARY)


def _wants_csv(accept: str) -> bool:
    """Say whether ``Accept`` asks for CSV more than for JSON (RFC 9110 §12.5.1)."""
    weights = {match[1].lower(): float(match[2] or 1) for match in _RANGE.finditer(accept)}
    return weights.get(CSV, 0) > weights.get(JSON, 0)


def _cell(column: str, value: object) -> str:
    if value is None:
        return TOO_FEW if column == "count" else ""
    return guarded(str(value))
