"""``/v1/members/{id}``: what the membership system tells of a member."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any, Literal

from pydantic import BaseModel, Field

from bridge.api.http.context import Call
from bridge.api.http.routing import Answer, Body, Routes, Schema
from bridge.api.http.service_keys import MEMBERS
from bridge.domain.members import MEMBER_ID, LeaveIn, MemberIn, PeriodIn, StoredMember, is_member_id
from bridge.errors import Conflict, FieldError, ValidationFailed
from schemas.messages import EXAMPLES

routes = Routes("Members", "Fed by the membership system.")

_FEED_FIELDS = ("member_id", "revision")
EXAMPLE: Schema = {name: value for name, value in EXAMPLES["member.upserted"].items() if name not in _FEED_FIELDS}


class Member(BaseModel):
    """A member as stored."""

    member_id: str
    name: str
    email: str | None
    language: str | None = None
    registered: bool
    registered_since: date | None
    renewal_date: date | None
    periods: list[PeriodIn] | None
    identifiers: list[dict[str, Any]] = Field(description="Each as in an xAPI Agent.")
    leave: list[LeaveIn] = Field(description="In order.")
    revision: int | None = Field(description="The newest of the member feed; null when it has not told of the member.")
    state: Literal["active", "left"]
    state_since: datetime | None = Field(description="When the member left; null while active.")
    version: int


class ErasedMember(BaseModel):
    """What is known of a member who was erased."""

    member_id: str
    state: Literal["erased"]
    state_since: datetime = Field(description="When the erasure was done, or begun.")


@routes.put(
    "/v1/members/{member_id}",
    roles={"platform"},
    description="The whole member each time. The log follows a changed renewal date or identifier.",
    body=MemberIn,
    answer=Member,
    status=(200, 201),
    etag=True,
    problems=(Conflict,),
    example=EXAMPLE,
)
async def put_member(call: Call, body: MemberIn) -> Answer:
    """Create or change a member (R82)."""
    member_id = call.path["member_id"]
    if not is_member_id(member_id):
        message = f"A member id must match {MEMBER_ID}."
        raise ValidationFailed(message, field_errors=[FieldError("/path/member_id", "Member id", message)])
    put = await call.service(MEMBERS).put(member_id, body)
    assert put is not None  # only a revision can be out of date
    return Answer(_shown(put.member), status=201 if put.created else 200, version=put.member["version"])


@routes.get(
    "/v1/members/{member_id}",
    roles={"platform"},
    description="As in the `PUT`, with the state; nothing of the member's record.",
    answer=Member | ErasedMember,
    etag=True,
)
async def get_member(call: Call) -> Answer:
    """What the membership system has told of a member (R82)."""
    members, member_id = call.service(MEMBERS), call.path["member_id"]
    erased_at = await members.erased_at(member_id)
    if erased_at is not None:
        return Answer({"member_id": member_id, "state": "erased", "state_since": erased_at}, version=0)
    member = await members.get(member_id)
    return Answer(_shown(member), version=member["version"])


def _shown(member: StoredMember) -> Body:
    left_at = member["left_at"]
    standing = {"state": "left" if left_at else "active", "state_since": left_at}
    return {**member, "revision": member.get("revision"), **standing, "member_id": member["_id"]}
