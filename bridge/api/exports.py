"""``/v1/exports``: copies of the record that the member keeps, and those that staff may make."""

from __future__ import annotations

from typing import Final, Literal

from aiohttp import web
from pydantic import Field, model_validator

from bridge.api.http.context import SETTINGS, Call
from bridge.api.http.inputs import InputModel
from bridge.api.http.languages import language_headers, language_of
from bridge.api.http.middleware import reader
from bridge.api.http.routing import Routes
from bridge.api.http.service_keys import EXPORTS, REVIEW
from bridge.api.http.transfers import PRIVATE, attachment, send
from bridge.api.register import READ
from bridge.deadlines import deadline
from bridge.domain.fields import Day
from bridge.errors import NotFound, TooLarge
from bridge.services.exports.exports import ExportRequest, FileStream, PdfFile
from bridge.texts import Text

routes = Routes("Exports", "Copies to keep: PDF booklets and data files. They work while the record is frozen (R75).")

PDF: Final = {"application/pdf": {"type": "string", "contentMediaType": "application/pdf"}}
CALENDAR: Final = {"text/calendar": {"type": "string", "contentMediaType": "text/calendar"}}
ZIP: Final = {"application/zip": {"type": "string", "contentMediaType": "application/zip"}}

TOO_MUCH: Final = (
    "413 for more than one PDF can hold, 503 with `Retry-After` when many are being made, 429 when many are yours."
)


class ExportQuery(InputModel):
    """The choice of what to export: a period, or a range of days; never both."""

    period: str | None = Field(None, max_length=40, description="A period id, `current` or `all`.")
    date_from: Day | None = Field(None, description="With `date_to`, both included, instead of a period.")
    date_to: Day | None = None
    include: Literal["completed", "all"] | None = Field(None, description="`all` takes drafts and open questions too.")

    @model_validator(mode="after")
    def _fits(self) -> ExportQuery:
        if (self.date_from is None) != (self.date_to is None):
            raise ValueError(Text("Give both the first day and the last day."))
        if self.period is not None and self.date_from is not None:
            raise ValueError(Text("Give a membership year, or a first and a last day, not both."))
        if self.date_from is not None and self.date_to is not None and self.date_from > self.date_to:
            raise ValueError(Text("The first day is after the last: swap them."))
        return self

    def to_request(self, period: str, include: str, language: str) -> ExportRequest:
        """Return it as the service asks; ``period`` and ``include`` hold when nothing is said."""
        days = None if self.date_from is None or self.date_to is None else (self.date_from, self.date_to)
        return ExportRequest(self.period or period, days, (self.include or include) == "all", language)


class ArchiveQuery(ExportQuery):
    """The choice of what to export as data."""

    bom: bool = Field(default=False, description="Begin each CSV with a byte order mark, for Excel.")


@routes.get(
    "/v1/exports/log.pdf",
    roles={"member"},
    query=ExportQuery,
    gives=PDF,
    timed=False,
    problems=(NotFound, TooLarge),
    description=f"Completed entries of the current period unless told otherwise. {TOO_MUCH}",
)
async def export_log_pdf(call: Call, query: ExportQuery) -> web.Response:
    """My log as a PDF booklet (R71, R72)."""
    request = await _asked(call, query, "current", "completed")
    return await _pdf(call, await call.service(EXPORTS).log_pdf(call.caller.subject, request))


@routes.get(
    "/v1/exports/plan.pdf",
    roles={"member"},
    query=ExportQuery,
    gives=PDF,
    timed=False,
    problems=(NotFound, TooLarge),
    description=f"Every planned activity of all years unless told otherwise. {TOO_MUCH}",
)
async def export_plan_pdf(call: Call, query: ExportQuery) -> web.Response:
    """My plan as a PDF booklet (R74)."""
    request = await _asked(call, query, "all", "all")
    return await _pdf(call, await call.service(EXPORTS).plan_pdf(call.caller.subject, request))


@routes.get(
    "/v1/exports/plan.ics",
    roles={"member"},
    query=ExportQuery,
    gives=CALENDAR,
    timed=False,
    problems=(NotFound,),
    description="iCalendar (RFC 5545), every year unless told otherwise: an item is an event of whole days, from its "
    "start to its completion date, with its title and no other words. One with a single date is on that day; one "
    "without dates is left out. What is not pursued or was carried forward is `CANCELLED`. An event keeps its `UID`, "
    "so that bringing the file again changes events and makes no second ones.",
)
async def export_plan_calendar(call: Call, query: ExportQuery) -> web.StreamResponse:
    """My plan as a calendar (R74)."""
    request = await _asked(call, query, "all", "all")
    return await _stream(call, await call.service(EXPORTS).plan_calendar(call.caller.subject, request))


@routes.get(
    "/v1/exports/log.zip",
    roles={"member"},
    query=ArchiveQuery,
    gives=ZIP,
    timed=False,
    problems=(NotFound,),
    description="A table (CSV), and what its columns mean. Completed entries of the current period unless told "
    "otherwise. A cell that a spreadsheet would take for a formula begins with an apostrophe.",
)
async def export_log_zip(call: Call, query: ArchiveQuery) -> web.StreamResponse:
    """My log as a data file (R73)."""
    request = await _asked(call, query, "current", "completed")
    return await _stream(call, await call.service(EXPORTS).log_zip(call.caller.subject, request, bom=query.bom))


@routes.get(
    "/v1/exports/record.zip",
    roles={"member"},
    query=ArchiveQuery,
    gives=ZIP,
    timed=False,
    problems=(NotFound,),
    description="Plan, log, links, comments and audit cases as CSV and JSON, the PDF booklets, and the evidence. "
    "All years and everything unless told otherwise.",
)
async def export_record_zip(call: Call, query: ArchiveQuery) -> web.StreamResponse:
    """My whole record (R75)."""
    request = await _asked(call, query, "all", "all")
    return await _stream(call, await call.service(EXPORTS).record_zip(call.caller.subject, request, bom=query.bom))


@routes.get(
    "/v1/exports/subject-access.zip",
    roles={"member"},
    gives=ZIP,
    timed=False,
    description="Reviewers' notes and the access history included, even while the record is frozen.",
)
async def export_subject_access(call: Call) -> web.StreamResponse:
    """All that is held about me (UK GDPR art. 15)."""
    language = await language_of(call.request)
    return await _stream(call, await call.service(EXPORTS).subject_access_zip(call.caller.subject, language=language))


@routes.get("/v1/members/{member_id}/subject-access.zip", roles={"privacy"}, gives=ZIP, timed=False, description=READ)
async def export_subject_access_of_member(call: Call) -> web.StreamResponse:
    """All that is held about a member."""
    return await _stream(
        call, await call.service(EXPORTS).subject_access_zip(call.path["member_id"], reader(call.request))
    )


@routes.get(
    "/v1/register/cases/{case_id}/record.pdf",
    roles={"register"},
    gives=PDF,
    timed=False,
    problems=(TooLarge,),
    description="404 unless the case is `submitted`. " + READ,
)
async def get_record_pdf(call: Call) -> web.Response:
    """Read what was submitted, as a PDF booklet (R60, R62, decision 2)."""
    _, snapshot = await call.service(REVIEW).record(call.path["case_id"], reader(call.request))
    language = await language_of(call.request)
    return await _pdf(call, await call.service(EXPORTS).submission_pdf(snapshot, call.caller.subject, language))


async def _asked(call: Call, query: ExportQuery, period: str, include: str) -> ExportRequest:
    return query.to_request(period, include, await language_of(call.request))


async def _pdf(call: Call, pdf: PdfFile) -> web.Response:
    language = language_headers(await language_of(call.request))
    headers = {**PRIVATE, "Content-Disposition": attachment(pdf.name), **language}
    return web.Response(body=pdf.content, content_type="application/pdf", headers=headers)


async def _stream(call: Call, file: FileStream) -> web.StreamResponse:
    """Send a file piece by piece; what fails before the first one is answered as a problem."""
    headers = {"Content-Disposition": attachment(file.name), "Content-Type": file.media_type}
    limit = call.request.app[SETTINGS].export_stream_timeout
    async with deadline(limit, Text("This export took longer than {seconds} s; try again on a faster line.")):
        return await send(call, file.pieces, headers)
