"""``/v1/plan``: what the member would like to learn."""

from __future__ import annotations

from datetime import datetime

from pydantic import BaseModel, Field

from bridge.api.http.context import Call
from bridge.api.http.inputs import InputModel
from bridge.api.http.pagination import Page, PageBody, PageQuery, Sort, ordered, paged
from bridge.api.http.routing import Answer, Body, Routes
from bridge.api.http.schemas import Id
from bridge.api.http.service_keys import PLAN
from bridge.domain.fields import Day
from bridge.domain.forms import PlanStatus, Values
from bridge.domain.record.plan import SORTABLE
from bridge.errors import Conflict, NotFound, RecordFrozen
from bridge.services.record.plan import ItemWithPeriods, PlanFilter

routes = Routes("Plan", "CPD needs and what the member plans to do about them; several a year.")


EXAMPLE = {
    "title": "Working with older clients",
    "start_date": "2026-05-01",
    "completion_date": "2026-11-30",
    "learning_need": "Supervision showed me that I avoid the subject of frailty.",
    "themes": ["ageing"],
}
EXAMPLE_PATCH = {"status": "not_pursued", "status_reason": "The course was cancelled; I read the two books instead."}


class PlanQuery(PageQuery):
    """Which items, in which order."""

    period: str | None = Field(
        None, max_length=40, description="A period id, `current` or `all`; all years unless given (R4)."
    )
    q: str = Field(
        "",
        max_length=200,
        description="Words, each the beginning of a word in any text of the item or in the label of a choice; case "
        "and accents do not matter. Codes, dates, numbers and choices by default are not searched.",
    )
    status: PlanStatus | None = Field(None, description="What became of it.")
    complete: bool | None = Field(None, description="Whether every needed field is filled (R11).")
    theme: str | None = Field(None, max_length=100, description="One of its themes, as it is written.")
    linked: bool | None = Field(None, description="Whether anything is logged for it (R47).")
    sort: Sort = Field(
        "start_date",
        description="Of `title`, `start_date` and `completion_date`; `-` for descending. What is empty comes last.",
    )


class PlanRow(BaseModel):
    """An item in the list."""

    id: Id
    reference: str | None = Field(None, description="The number that people use, such as P3.")
    title: str | None = None
    start_date: Day | None = None
    completion_date: Day | None = None
    status: PlanStatus
    themes: list[str] | None = None
    complete: bool = Field(description="No needed field is empty.")
    period_ids: list[str] = Field(
        description="The membership years that its dates touch (R1); without dates, the year that it was carried into."
    )
    log_ids: list[str] = Field(description="The log entries it is linked with.")
    carried_to: str | None = Field(None, description="The item that it goes on as in a later year.")
    carried_from: str | None = Field(None, description="The item of an earlier year that it goes on from.")
    frozen: bool = Field(description="Submitted for the Register Audit, and closed to changes.")
    version: int


class PlanItem(PlanRow):
    """An item as the member edits it."""

    missing_fields: list[str] = Field(description="Needed fields that are empty, in the form's order.")
    form_version: str
    frozen_since: datetime | None
    created_at: datetime
    updated_at: datetime


class PlanItemIn(InputModel):
    """A new item: the fields of the form, none of them needed for saving."""


class PlanItemPatch(InputModel):
    """Changes of an item: only what is named changes; null empties a field."""


@routes.get(
    "/v1/plan",
    roles={"member"},
    query=PlanQuery,
    answer=Page[PlanRow],
    problems=(NotFound,),
    description="404 for a `period` that is none of mine.",
)
async def list_plan(call: Call, query: PlanQuery) -> PageBody:
    """List my plan (R4, R5, R11)."""
    scope = f"plan:{call.caller.subject}"
    sort, after = ordered(scope, query, SORTABLE)
    item_filter = PlanFilter(**query.model_dump(exclude={"limit", "cursor", "sort"}))
    page = await call.service(PLAN).list(call.caller.subject, item_filter, sort, query.limit, after)
    return paged(page, scope, query, shown)


@routes.post(
    "/v1/plan",
    roles={"member"},
    body=PlanItemIn,
    answer=PlanItem,
    status=201,
    etag=True,
    idempotent=True,
    problems=(RecordFrozen,),
    description="One item for each area; it may be saved with gaps, and `missing_fields` says what is left.",
)
async def create_item(call: Call, body: PlanItemIn) -> Answer:
    """Plan an activity (R2, R7, R10)."""
    item = await call.service(PLAN).create(call.caller.subject, _given(body), call.attempt(body))
    return _answer(item, created=True)


@routes.get("/v1/plan/{item_id}", roles={"member"}, answer=PlanItem, etag=True)
async def get_item(call: Call) -> Answer:
    """One plan item (R6)."""
    return _answer(await call.service(PLAN).get(call.caller.subject, call.path["item_id"]))


@routes.patch(
    "/v1/plan/{item_id}",
    roles={"member"},
    body=PlanItemPatch,
    answer=PlanItem,
    etag=True,
    if_match=True,
    problems=(RecordFrozen,),
    description="Any number of times: plans change. `status` and `status_reason` tell what became of it.",
)
async def edit_item(call: Call, body: PlanItemPatch) -> Answer:
    """Change a plan item (R3, R14, R15)."""
    service, item_id = call.service(PLAN), call.path["item_id"]
    return _answer(await service.edit(call.caller.subject, item_id, _given(body), call.check_version))


@routes.delete(
    "/v1/plan/{item_id}",
    roles={"member"},
    if_match=True,
    problems=(RecordFrozen,),
    description="Keeping what was not done is better than deleting it: offer `status: not_pursued` with a "
    "`status_reason` first (R14). A deleted item can be restored for 30 days, with its links.",
)
async def delete_item(call: Call) -> None:
    """Delete a plan item (R13)."""
    await call.service(PLAN).delete(call.caller.subject, call.path["item_id"], call.check_version)


@routes.post(
    "/v1/plan/{item_id}/restore",
    roles={"member"},
    answer=PlanItem,
    etag=True,
    problems=(Conflict, RecordFrozen),
    description="Within 30 days of deleting it; its links come back. One that is not deleted stays as it is.",
)
async def restore_item(call: Call) -> Answer:
    """Restore a deleted plan item (decision 5)."""
    return _answer(await call.service(PLAN).restore(call.caller.subject, call.path["item_id"]))


@routes.post(
    "/v1/plan/{item_id}/carry-forward",
    roles={"member"},
    answer=PlanItem,
    status=(201, 200),
    etag=True,
    idempotent=True,
    problems=(RecordFrozen,),
    description="Makes the item that this one goes on as in the next year: what was written is copied, dates, number, "
    "status and links are not. This one becomes `carried_forward`, and they name each other. The next year is the one "
    "after this item's last day, or the current one if that is later. Again gives the same item, with 200.",
)
async def carry_item_forward(call: Call) -> Answer:
    """Carry a plan item forward (R1, R4, R14)."""
    item, new = await call.service(PLAN).carry_forward(call.caller.subject, call.path["item_id"], call.attempt())
    return _answer(item, created=True) if new else Answer(shown(item), status=200, version=item["version"])


def _given(body: BaseModel) -> Values:
    """Return the form's fields that a body names, with dates as text."""
    return body.model_dump(mode="json", exclude_unset=True)


def _answer(item: ItemWithPeriods, *, created: bool = False) -> Answer:
    location = f"/v1/plan/{item['_id']}" if created else None
    return Answer(shown(item), version=item["version"], location=location)


def shown(item: ItemWithPeriods) -> Body:
    """Return an item as it is shown."""
    freeze = item.get("frozen")
    since = freeze["since"] if freeze else None
    return {**item, "frozen": freeze is not None, "frozen_since": since}
