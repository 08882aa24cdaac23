"""``/v1/register/samples``: drawing members for the audit, so that anyone can draw them again (R53)."""

from __future__ import annotations

from datetime import date, datetime

from pydantic import BaseModel, Field, model_validator

from bridge.api.http.context import Call
from bridge.api.http.inputs import InputModel
from bridge.api.http.routing import Answer, Body, Routes
from bridge.api.http.schemas import Id
from bridge.api.http.service_keys import SELECTION
from bridge.api.register import CaseRow, case_row
from bridge.domain.audit import LONGEST_WINDOW, SampleRequest, Window
from bridge.domain.fields import Day

routes = Routes("Register")


class SampleIn(InputModel):
    """The parameters of a sample of renewing members."""

    renewal_from: Day
    renewal_to: Day
    rate: float | None = Field(
        None, gt=0, lt=1, description="A fraction of the population: 0.026 is 2.6 %. For everyone, give a count."
    )
    count: int | None = Field(None, ge=1, le=1_000_000)
    seed: str | None = Field(None, min_length=1, max_length=200, description="Made, and told, when it is left out.")
    minimum_months_registered: int = Field(0, ge=0, le=1200, description="By the renewal day.")
    dry_run: bool = Field(default=False, description="Draw, but open no case and keep nothing.")

    @model_validator(mode="after")
    def _fits(self) -> SampleIn:
        if self.rate is not None and self.count is not None:
            raise ValueError("give rate or count, not both; without either the rate in the settings holds")
        if not 0 <= (self.renewal_to - self.renewal_from).days < LONGEST_WINDOW:
            raise ValueError(f"renewal_to must be {LONGEST_WINDOW - 1} days or fewer after renewal_from")
        return self

    def to_request(self) -> SampleRequest:
        """Return it as the service asks."""
        window = Window(self.renewal_from, self.renewal_to, self.minimum_months_registered)
        return SampleRequest(window, self.rate, self.count, self.seed)


class SelectedMember(BaseModel):
    """A member who was drawn."""

    member_id: str
    case_id: str
    period_id: str


class Sample(BaseModel):
    """A sample, with all that is needed to draw it again."""

    id: Id
    seed: str
    renewal_from: date
    renewal_to: date
    minimum_months_registered: int
    rate: float | None
    count: int | None
    population_size: int
    population_digest: str = Field(description="SHA-256 of the population's sorted ids, each with a line feed.")
    selected: list[SelectedMember]
    drawn_at: datetime
    drawn_by: str


class SampleWithCases(Sample):
    """A sample, and the cases that were opened; none on a dry run."""

    dry_run: bool
    cases: list[CaseRow]


class SampleWithPopulation(Sample):
    """A sample with its population."""

    population: list[str]


@routes.post(
    "/v1/register/samples",
    roles={"register"},
    body=SampleIn,
    answer=SampleWithCases,
    status=201,
    idempotent=True,
    timed=False,
    description="From members on the Register who renew in the window, were registered long enough by then, and are "
    "in no case. Each member's id is put through HMAC-SHA-256 with the seed as key; the smallest digests are the "
    "sample, so that anyone can draw it again. The same seed and window give the recorded sample, and complete it.",
    example={"renewal_from": "2026-04-01", "renewal_to": "2026-04-30", "rate": 0.026, "dry_run": True},
)
async def add_sample(call: Call, body: SampleIn) -> Answer:
    """Draw a sample (R53)."""
    selection, subject = call.service(SELECTION), call.caller.subject
    sample = await selection.sample(body.to_request(), subject, call.attempt(body), dry_run=body.dry_run)
    location = None if body.dry_run else f"/v1/register/samples/{sample['_id']}"
    return Answer({**sample, "cases": [case_row(case) for case in sample["cases"]]}, location=location)


@routes.get("/v1/register/samples/{sample_id}", roles={"register"}, answer=SampleWithPopulation)
async def get_sample(call: Call) -> Body:
    """How a sample was drawn."""
    return await call.service(SELECTION).get_sample(call.path["sample_id"])
