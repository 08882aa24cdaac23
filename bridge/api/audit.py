"""``/v1/audit``: the Register Audit as the member meets it."""

from __future__ import annotations

from datetime import date, datetime
from typing import Annotated, Literal

from pydantic import BaseModel, Field

from bridge.api.http.context import Call
from bridge.api.http.inputs import InputModel
from bridge.api.http.languages import Words, language_of
from bridge.api.http.pagination import Page, PageBody, PageQuery, paged, position
from bridge.api.http.routing import Answer, Routes
from bridge.api.http.schemas import Id, OneOf
from bridge.api.http.service_keys import AUDIT
from bridge.domain.audit import State, StoredExtension
from bridge.domain.fields import Day
from bridge.errors import Conflict, NotSelected
from bridge.services.audit.cases import CaseReadiness
from schemas.audit import DECLARATIONS

routes = Routes("Audit", "The Register Audit: what is asked of the member, and what the member sends.")

CaseState = Annotated[State, OneOf(State)]

_ENDED = "Only for a case that goes on; 409 `not-selected` when there is none."


class Declaration(BaseModel):
    """A declaration of the member's on submitting; ``accepted_at`` is null until then."""

    id: str
    text: Words
    accepted_at: datetime | None


class Extension(BaseModel):
    """A request for more time."""

    until: date
    reason: str
    asked_at: datetime
    decision: Literal["granted", "declined"] | None = Field(description="Null while the Register team has not decided.")
    decided_at: datetime | None = None
    feedback: str | None = None


class AuditCase(BaseModel):
    """One case of the member's."""

    id: Id
    period_id: str
    state: CaseState
    due_date: date
    selected_at: datetime
    submitted_at: datetime | None
    returned_at: datetime | None
    closed_at: datetime | None
    feedback: str | None = Field(description="What the Register team wrote to the member last.")
    outcome: str | None
    receipt: str | None
    declarations: list[Declaration]
    extensions: list[Extension]


class DeclarationIn(InputModel):
    """A declaration, made or not."""

    id: str = Field(max_length=100)
    accepted: bool


class SubmissionIn(InputModel):
    """The declarations that go with a submission."""

    declarations: list[DeclarationIn] = Field(max_length=50, description="Each of the case's, accepted.")


class SubmittedCounts(BaseModel):
    """The number of records of each kind that were submitted."""

    log: int
    plan: int
    links: int
    comments: int
    evidence: int


class Receipt(BaseModel):
    """The proof of a submission."""

    receipt: str
    submitted_at: datetime
    digest: str = Field(description="SHA-256, in hexadecimal digits, of the submitted record's canonical JSON.")
    counts: SubmittedCounts


class ExtensionIn(InputModel):
    """A request for more time; the reason is read by the Register team."""

    until: Day
    reason: str = Field(min_length=1, max_length=5000)


class FieldGap(BaseModel):
    """A needed field that is empty."""

    name: str
    label: Words


class RecordItem(BaseModel):
    """A log entry or plan item of the member's."""

    kind: Literal["log", "plan"]
    id: str
    reference: str | None
    title: str | None


class Gap(RecordItem):
    """A record with needed fields that are empty."""

    fields: list[FieldGap]


class TypeReadiness(BaseModel):
    """Entries of one type."""

    complete: int
    incomplete: int


class Readiness(BaseModel):
    """The gaps that an assessor will find; none of them stands in the way of submitting (R45-R47)."""

    case_id: str
    period_id: str
    counts: SubmittedCounts
    by_type: dict[str, TypeReadiness]
    missing: list[Gap]
    drafts: list[RecordItem]
    planned_not_logged: list[RecordItem]
    logged_not_planned: list[RecordItem]
    unexplained: list[RecordItem] = Field(description="Plan items not pursued, without a reason.")
    unchecked_evidence: int = Field(description="Files that the virus scanner has not cleared.")
    undated_plan_items: int = Field(description="Plan items without dates: sent only when they are linked.")
    waiting: int = Field(description="Completions that are not in the record yet.")
    advice: list[Words] = Field(description="The same in sentences; empty when nothing is missing.")


@routes.get("/v1/audit", roles={"member"}, query=PageQuery, answer=Page[AuditCase], worded=True)
async def list_audit(call: Call, query: PageQuery) -> PageBody:
    """My audit cases (R53)."""
    scope = f"audit:{call.caller.subject}"
    page = await call.service(AUDIT).list(call.caller.subject, query.limit, position(scope, query))
    return paged(page, scope, query)


@routes.post(
    "/v1/audit/{case_id}/submission",
    roles={"member"},
    body=SubmissionIn,
    answer=Receipt,
    status=(201, 200),
    idempotent=True,
    problems=(NotSelected,),
    description="Takes a snapshot of the period and freezes it until the case is returned or closed (R55, R56). "
    "Again gives the same receipt, with 200. " + _ENDED,
    example={"declarations": [{"id": name, "accepted": True} for name in DECLARATIONS]},
)
async def submit(call: Call, body: SubmissionIn) -> Answer:
    """Submit for review (R55)."""
    accepted = {declaration.id: declaration.accepted for declaration in body.declarations}
    service, case_id = call.service(AUDIT), call.path["case_id"]
    language = await language_of(call.request)
    receipt, new = await service.submit(call.caller.subject, case_id, accepted, language, call.attempt(body))
    return Answer({**receipt, "receipt": receipt["_id"]}, status=201 if new else 200)


@routes.get(
    "/v1/audit/{case_id}/readiness",
    roles={"member"},
    answer=Readiness,
    worded=True,
    problems=(Conflict, NotSelected),
    description="Advice, never a block: a record can be submitted as it is. " + _ENDED,
)
async def get_readiness(call: Call) -> CaseReadiness:
    """What an assessor will find missing (R45-R47)."""
    return await call.service(AUDIT).readiness(call.caller.subject, call.path["case_id"])


@routes.post(
    "/v1/audit/{case_id}/extension-requests",
    roles={"member"},
    body=ExtensionIn,
    answer=Extension,
    status=201,
    idempotent=True,
    problems=(NotSelected,),
    description="One request at a time; the Register team grants or declines it. " + _ENDED,
    example={"until": "2030-12-01", "reason": "I was away from work."},
)
async def ask_extension(call: Call, body: ExtensionIn) -> StoredExtension:
    """Ask for more time (decision 3)."""
    service, case_id = call.service(AUDIT), call.path["case_id"]
    return await service.ask_extension(call.caller.subject, case_id, body.until, body.reason, call.attempt(body))
