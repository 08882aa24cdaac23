"""``/v1/ops/notices``: e-mail notices that were sent, wait, or could not be sent."""

from __future__ import annotations

from datetime import datetime

from pydantic import BaseModel, Field

from bridge.api.http.context import Call
from bridge.api.http.pagination import Page, PageBody, PageQuery, paged, position
from bridge.api.http.routing import Body, Routes
from bridge.api.http.schemas import Id
from bridge.api.http.service_keys import NOTICES
from bridge.domain.audit import NoticeState

routes = Routes("Notices", "E-mail to members about the audit: ids, states and codes, never an address or a word.")


class NoticeQuery(PageQuery):
    """Which notices, newest first."""

    state: NoticeState | None = None


class Notice(BaseModel):
    """A notice."""

    id: Id
    kind: str = Field(description="The event that it tells of.")
    member_id: str
    state: NoticeState = Field(
        description="`uncertain`: the sender died after handing it over, so that it may or may not have been sent."
    )
    status: str | None = Field(description="The last SMTP code, or a word for what went wrong.")
    attempts: int
    created_at: datetime
    next_at: datetime = Field(description="When it is tried next, while it is pending.")


@routes.get("/v1/ops/notices", roles={"ops"}, query=NoticeQuery, answer=Page[Notice])
async def list_notices(call: Call, query: NoticeQuery) -> PageBody:
    """List notices."""
    page = await call.service(NOTICES).list(query.state, query.limit, position("notices", query))
    return paged(page, "notices", query)


@routes.post(
    "/v1/ops/notices/{notice_id}/again",
    roles={"ops"},
    answer=Notice,
    description="For one that was refused, failed, bounced or is uncertain.",
)
async def send_again(call: Call) -> Body:
    """Send a notice again."""
    return await call.service(NOTICES).send_again(call.path["notice_id"])
