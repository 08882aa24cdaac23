"""``/v1/me`` and ``/v1/periods``: who the member is, and their membership years."""

from __future__ import annotations

from datetime import date
from typing import Any

from pydantic import BaseModel, Field

from bridge.api.context import SETTINGS, Call
from bridge.api.parts import PERIODS
from bridge.api.routing import Routes

routes = Routes("Member", "The member's own membership years.")


class Counts(BaseModel):
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
    label: str
    start: date
    end: date
    current: bool
    frozen: bool
    counts: Counts


class PeriodList(BaseModel):
    """Every period, newest first."""

    items: list[PeriodRow]


class Elapsed(BaseModel):
    """How far through the year the member is: time, not CPD done (R18)."""

    percent: float
    days_elapsed: int
    days_total: int
    days_remaining: int
    as_of: date
    text: str = Field(description="The same in words, for a text alternative.")


class Period(PeriodRow):
    """A membership year with its progress."""

    elapsed: Elapsed


class Links(BaseModel):
    """Where to find help."""

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
    audit: list[dict[str, Any]]
    links: Links


@routes.get("/v1/me", roles={"member"}, answer=Me, summary="Who I am")
async def get_me(call: Call) -> dict[str, Any]:
    """Return the caller with the current period (R17, R80)."""
    periods, settings = call.service(PERIODS), call.request.app[SETTINGS]
    member = await periods.member(call.caller.subject)
    return {
        "member_id": member["_id"],
        "name": member["name"],
        "registered": member["registered"],
        "requirements_apply": member["registered"],
        "current_period": await periods.one(member["_id"], "current"),
        "audit": [],
        "links": {"help": settings.help_url, "privacy": settings.privacy_url, "survey": settings.survey_url},
    }


@routes.get("/v1/periods", roles={"member"}, answer=PeriodList, summary="My membership years")
async def list_periods(call: Call) -> dict[str, Any]:
    """Return every membership year with anything in it, newest first (R19)."""
    return {"items": await call.service(PERIODS).every(call.caller.subject)}


@routes.get("/v1/periods/{period_id}", roles={"member"}, answer=Period, summary="One membership year")
async def get_period(call: Call) -> dict[str, Any]:
    """Return one membership year, by id or ``current`` (R17, R18)."""
    return await call.service(PERIODS).one(call.caller.subject, call.path["period_id"])
