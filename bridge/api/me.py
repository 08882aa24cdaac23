"""``/v1/me`` and ``/v1/periods``: who the member is, and their membership years."""

from __future__ import annotations

from datetime import date, datetime

from pydantic import BaseModel, ConfigDict, Field

from bridge.api.audit import AuditCase
from bridge.api.http.context import SETTINGS, Call
from bridge.api.http.languages import Words
from bridge.api.http.routing import Body, Routes, Schema
from bridge.api.http.service_keys import AUDIT, PERIODS
from bridge.domain.audit import ActionName, ActionReason, case_for_member
from bridge.domain.record import Unit
from bridge.services.record.periods import PeriodOverview

routes = Routes("Member", "The member's own membership years.")


TARGET_EXAMPLE: Schema = {
    "id": "together",
    "label": "Learning with others",
    "unit": "minutes",
    "target": 600,
    "done": 450,
    "text": "450 of 600 minutes",
}
"""A target as the document shows it."""


class PeriodCounts(BaseModel):
    """Entries of a period by state; ``waiting`` completions become drafts when a freeze ends."""

    total: int
    draft: int
    incomplete: int = Field(description="Draft is off, but a needed field is empty.")
    complete: int
    needs_attention: int = Field(description="Everything that is not complete.")
    waiting: int


class PeriodRow(BaseModel):
    """A membership year; ``start`` and ``end`` are both inclusive."""

    id: str
    label: Words
    start: date
    end: date
    current: bool
    frozen: bool = Field(description="Submitted for the Register Audit, and closed to changes (R56).")
    frozen_since: datetime | None
    counts: PeriodCounts


class PeriodList(BaseModel):
    """Every period, newest first."""

    items: list[PeriodRow]


class Elapsed(BaseModel):
    """The part of the year that has passed: time, not CPD done (R18)."""

    percent: float
    days_elapsed: int
    days_total: int
    days_remaining: int
    as_of: date
    text: Words = Field(description="The same in words, for a text alternative.")


class TypeCounts(BaseModel):
    """Entries of one type by state."""

    total: int
    draft: int
    incomplete: int
    complete: int


class PlanCounts(BaseModel):
    """Plan items whose dates touch a period."""

    total: int
    incomplete: int = Field(description="A needed field is empty (R11).")


class Unlinked(BaseModel):
    """Numbers of records of plan and log that are not linked (R47)."""

    planned_not_logged: int = Field(description="Plan items of the period, not given up, with nothing logged for them.")
    logged_not_planned: int = Field(description="Entries of the period without a plan item.")


class Action(BaseModel):
    """An action, and why it cannot be done now, in a word that a portal can explain beside a disabled button (R26)."""

    name: ActionName
    enabled: bool
    reason: ActionReason | None


class Period(PeriodRow):
    """A membership year with its progress."""

    elapsed: Elapsed
    undated: int = Field(description="Entries without a date, shown with the current period (R76); 0 for others.")
    minutes: int = Field(description="Time spent, over all entries of the period.")
    by_type: dict[str, TypeCounts] = Field(description="By the choices of the field `type`; `none` without one (R45).")
    plan: PlanCounts
    unlinked: Unlinked
    targets: list[TargetStand] = Field(description="Empty when the body names none.")
    actions: list[Action]


class TargetStand(BaseModel):
    """Progress towards what the body asks of a year: guidance, never enforced (R57, R79)."""

    model_config = ConfigDict(json_schema_extra={"examples": [TARGET_EXAMPLE]})

    id: str
    label: Words
    unit: Unit = Field(description="What is counted of complete entries.")
    target: int = Field(description="For this member and year; months before registration and on leave may lower it.")
    done: int
    text: str = Field(description="The same in words.")


class Links(BaseModel):
    """Addresses where help is found."""

    help: str | None
    privacy: str | None
    survey: str | None


class Me(BaseModel):
    """The caller."""

    member_id: str
    name: str
    registered: bool
    requirements_apply: bool = Field(description="Guidance for Registered members applies; access does not differ.")
    current_period: Period
    audit: list[AuditCase]
    links: Links


@routes.get("/v1/me", roles={"member"}, answer=Me, worded=True)
async def get_me(call: Call) -> Body:
    """Who I am (R17, R80)."""
    periods, settings = call.service(PERIODS), call.request.app[SETTINGS]
    member = await periods.get_member(call.caller.subject)
    cases = await call.service(AUDIT).cases_of(member["_id"])
    return {
        "member_id": member["_id"],
        "name": member["name"],
        "registered": member["registered"],
        "requirements_apply": member["registered"],
        "current_period": await periods.overview(member["_id"], "current", cases),
        "audit": [case_for_member(case) for case in cases],
        "links": {"help": settings.help_url, "privacy": settings.privacy_url, "survey": settings.survey_url},
    }


@routes.get("/v1/periods", roles={"member"}, answer=PeriodList, worded=True)
async def list_periods(call: Call) -> Body:
    """My membership years (R19)."""
    cases = await call.service(AUDIT).cases_of(call.caller.subject)
    return {"items": await call.service(PERIODS).list_all(call.caller.subject, cases)}


@routes.get("/v1/periods/{period_id}", roles={"member"}, answer=Period, worded=True)
async def get_period(call: Call) -> PeriodOverview:
    """One membership year (R17, R18)."""
    cases = await call.service(AUDIT).cases_of(call.caller.subject)
    return await call.service(PERIODS).overview(call.caller.subject, call.path["period_id"], cases)
