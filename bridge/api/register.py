"""``/v1/register/cases``: cases, what was submitted, and decisions, for the Register team."""

from __future__ import annotations

import base64
from datetime import date, datetime
from http import HTTPStatus
from typing import Annotated

from aiohttp import web
from pydantic import BaseModel, Field

from bridge.api.audit import CaseState, Extension, SubmittedCounts
from bridge.api.evidence import send_file
from bridge.api.http.context import Call, not_modified
from bridge.api.http.inputs import InputModel
from bridge.api.http.middleware import reader
from bridge.api.http.pagination import Page, PageBody, PageQuery, ordered, paged
from bridge.api.http.routing import Answer, Body, Routes
from bridge.api.http.schemas import Id, OneOf
from bridge.api.http.service_keys import REGISTER, REVIEW, SELECTION
from bridge.domain.audit.cases import EXTENSIONS, MOVES, SORTABLE, CaseFilter, Decision, StoredCase
from bridge.domain.fields import Day
from bridge.domain.members import MEMBER_ID
from bridge.domain.record.files import KINDS
from bridge.errors import Conflict

routes = Routes("Register", "The Register Audit, for the team that runs it.")

READ = "Each read is in the access log, which the member sees, before the answer leaves."


class CaseIn(InputModel):
    """Whom to select, and for which of their membership years."""

    member_id: str = Field(pattern=MEMBER_ID)
    period_id: str = Field(max_length=40)
    due_date: Day | None = None


class DecisionIn(InputModel):
    """A decision of the Register team in a case."""

    decision: Annotated[str, OneOf((*MOVES, *EXTENSIONS))]
    outcome: str | None = Field(None, max_length=100, description="For `close`: one of those in the settings.")
    feedback: str | None = Field(None, max_length=20_000, description="Shown to the member; needed for `return`.")
    due_date: Day | None = Field(None, description="For `return` and `grant_extension`.")


class SubmissionSummary(BaseModel):
    """The last submission, without anything that is in it."""

    digest: str
    submitted_at: datetime
    counts: SubmittedCounts


class CaseEvent(BaseModel):
    """A line of a case's history."""

    move: str
    by: str
    at: datetime


class CaseRow(BaseModel):
    """A case in the list; it has no detail of the record."""

    id: Id
    member_id: str
    period_id: str
    state: CaseState
    due_date: date
    selected_at: datetime
    submitted_at: datetime | None
    returned_at: datetime | None
    closed_at: datetime | None
    outcome: str | None
    sample_id: str | None
    extension_pending: bool
    version: int


class Case(CaseRow):
    """A case, still without detail of the record."""

    start: date
    end: date
    receipt: str | None
    feedback: str | None
    extensions: list[Extension]
    submission: SubmissionSummary | None
    history: list[CaseEvent]


class CaseQuery(PageQuery):
    """Which cases, in which order."""

    state: CaseState | None = None
    due_before: Day | None = Field(None, description="Due on an earlier day than this.")
    member_id: str | None = Field(None, pattern=MEMBER_ID)
    sort: str = Field("due_date", max_length=200, description="Of due_date and selected_at; `-` for descending.")


@routes.post(
    "/v1/register/cases",
    roles={"register"},
    body=CaseIn,
    answer=Case,
    status=201,
    idempotent=True,
    description="Only a member on the Register, and only one who is in no case that goes on.",
    example={"member_id": "m-1001", "period_id": "2025-06-01"},
)
async def add_case(call: Call, body: CaseIn) -> Answer:
    """Select a member (R53)."""
    service, by = call.service(SELECTION), call.caller.subject
    case = await service.select(body.member_id, body.period_id, body.due_date, by, call.attempt(body))
    return Answer(_whole(case), location=f"/v1/register/cases/{case['_id']}")


@routes.get("/v1/register/cases", roles={"register"}, query=CaseQuery, answer=Page[CaseRow])
async def list_cases(call: Call, query: CaseQuery) -> PageBody:
    """List cases (R64)."""
    case_filter = CaseFilter(query.state, query.member_id, query.due_before)
    sort, after = ordered("cases", query, SORTABLE)
    page = await call.service(REGISTER).list(case_filter, sort, query.limit, after)
    return paged(page, "cases", query, case_row)


@routes.get("/v1/register/cases/{case_id}", roles={"register"}, answer=Case, etag=True)
async def get_case(call: Call) -> Answer:
    """One case (R64)."""
    case = await call.service(REGISTER).get(call.path["case_id"])
    return Answer(_whole(case), version=case["version"])


@routes.get(
    "/v1/register/cases/{case_id}/record",
    roles={"register"},
    gives={"application/json": {"type": "object", "required": ["case_id", "log", "plan", "comments", "evidence"]}},
    description="The snapshot, byte for byte as its SHA-256 digest covers it (`Repr-Digest`, RFC 9530); never the live "
    "record. 404 unless the case is `submitted`. " + READ,
)
async def get_record(call: Call) -> web.Response:
    """Read what was submitted (R60, R62, decision 2)."""
    submission, text = await call.service(REVIEW).record(call.path["case_id"], reader(call.request))
    tag = f'"{submission["digest"]}"'
    if not_modified(call.request.headers.get("If-None-Match"), tag):
        return web.Response(status=HTTPStatus.NOT_MODIFIED, headers={"ETag": tag})
    digest = base64.b64encode(bytes.fromhex(submission["digest"])).decode()
    headers = {"ETag": tag, "Repr-Digest": f"sha-256=:{digest}:"}
    return web.Response(body=text, content_type="application/json", charset="utf-8", headers=headers)


@routes.get(
    "/v1/register/cases/{case_id}/evidence/{evidence_id}",
    roles={"register"},
    gives={kind.media_type: {"type": "string", "contentMediaType": kind.media_type} for kind in KINDS},
    timed=False,
    problems=(Conflict,),
    description="404 unless the case is `submitted` and the file is part of it. " + READ,
)
async def get_submitted_evidence(call: Call) -> web.StreamResponse:
    """Read a submitted file (R62)."""
    service, path = call.service(REVIEW), call.path
    document, content = await service.evidence(path["case_id"], path["evidence_id"], reader(call.request))
    return await send_file(call, document, content)


@routes.post(
    "/v1/register/cases/{case_id}/decisions",
    roles={"register"},
    body=DecisionIn,
    answer=Case,
    etag=True,
    idempotent=True,
    description="`return` (with feedback) and `close` (with an outcome) follow a submission; `withdraw` and "
    "`satisfied_elsewhere` end a case in any state; an extension is decided when the member asked for one. Whatever "
    "ends a submission ends the freeze.",
    example={"decision": "return", "feedback": "Please say what you learned from the course in May."},
)
async def decide(call: Call, body: DecisionIn) -> Answer:
    """Decide (decision 3)."""
    decision = Decision(body.decision, body.outcome, body.feedback, body.due_date)
    by, attempt = call.caller.subject, call.attempt(body)
    case = await call.service(REGISTER).decide(call.path["case_id"], decision, by, attempt)
    return Answer(_whole(case), version=case["version"])


def case_row(case: StoredCase) -> Body:
    """Return a case as ``CaseRow`` has it."""
    pending = any(extension["decision"] is None for extension in case["extensions"])
    return {**case, "extension_pending": pending}


def _whole(case: StoredCase) -> Body:
    return {"submission": None, **case_row(case)}
