"""``/v1/support-grants`` and ``/v1/access-history``: whom the member lets look, and who did (R63, R64)."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal

from pydantic import BaseModel, Field

from bridge.api.http.context import Call
from bridge.api.http.inputs import InputModel
from bridge.api.http.languages import Words
from bridge.api.http.pagination import Page, PageBody, PageQuery, paged, position
from bridge.api.http.routing import Answer, Routes
from bridge.api.http.schemas import OneOf
from bridge.api.http.service_keys import ACCESS, SUPPORT
from bridge.domain.privacy import RIGHTS

routes = Routes("Access", "Who may read the member's record besides the member, and who has.")


class GrantIn(InputModel):
    """Permission for the support team; the reason says what they are to help with."""

    reason: str = Field(min_length=1, max_length=2000)
    hours: int = Field(ge=1, le=168, description="How long it holds.")


class Grant(BaseModel):
    """A permission that the member gave."""

    id: str
    reason: str
    state: Literal["live", "revoked", "expired"]
    created_at: datetime
    expires_at: datetime
    revoked_at: datetime | None


class RightOut(BaseModel):
    """The right that let the reader in; ``none`` when nothing did, and nothing was shown."""

    kind: Annotated[str, OneOf(kind.replace("_", " ") for kind in RIGHTS)]
    id: str | None


class AccessRow(BaseModel):
    """One look at the member's record, or a try at one."""

    id: str
    at: datetime
    reader: Words = Field(description="The team, in words; who it was by name is known to the service's owner.")
    roles: list[str]
    allowed: bool
    right: RightOut
    parts: list[str]
    text: Words = Field(description="The same in one sentence.")


@routes.get("/v1/support-grants", roles={"member"}, query=PageQuery, answer=Page[Grant])
async def list_grants(call: Call, query: PageQuery) -> PageBody:
    """My support grants (R63)."""
    scope = f"grants:{call.caller.subject}"
    page = await call.service(SUPPORT).list(call.caller.subject, query.limit, position(scope, query))
    return paged(page, scope, query)


@routes.post(
    "/v1/support-grants",
    roles={"member"},
    body=GrantIn,
    answer=Grant,
    status=201,
    idempotent=True,
    description="For 1 to 168 hours from now; each look is shown in the access history.",
    example={"reason": "My entry of 4 May cannot be saved.", "hours": 24},
)
async def add_grant(call: Call, body: GrantIn) -> Answer:
    """Let the support team look (R63)."""
    service = call.service(SUPPORT)
    grant = await service.grant(call.caller.subject, body.reason, body.hours, call.attempt(body))
    return Answer(grant, location=f"/v1/support-grants/{grant['id']}")


@routes.delete(
    "/v1/support-grants/{grant_id}",
    roles={"member"},
    description="Works at once. Needs no `If-Match`: nothing can have come between that would make it unwanted.",
)
async def revoke_grant(call: Call) -> None:
    """Take permission back (R63)."""
    await call.service(SUPPORT).revoke(call.caller.subject, call.path["grant_id"])


@routes.get("/v1/access-history", roles={"member"}, query=PageQuery, answer=Page[AccessRow], worded=True)
async def list_access(call: Call, query: PageQuery) -> PageBody:
    """Who read my record (R64)."""
    scope = f"access:{call.caller.subject}"
    page = await call.service(ACCESS).history(call.caller.subject, query.limit, position(scope, query))
    return paged(page, scope, query)
