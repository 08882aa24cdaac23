"""``/v1/members/{id}``: what the membership system tells of a member."""

from __future__ import annotations

from datetime import date
from typing import Any

from pydantic import BaseModel, Field

from bridge.api.http.context import Call
from bridge.api.http.routing import Answer, Routes
from bridge.api.http.service_keys import MEMBERS
from bridge.domain.members.messages import MEMBER_ID, MemberIn, PeriodIn, is_member_id
from bridge.errors import Conflict, FieldError, ValidationFailed

routes = Routes("Members", "Fed by the membership system.")

EXAMPLE: dict[str, Any] = {
    "name": "Sam Example",
    "email": "sam@example.org",
    "registered": True,
    "registered_since": "2021-06-01",
    "renewal_date": "2026-04-01",
    "identifiers": [
        {"account": {"homePage": "https://learning.example.org", "name": "1001"}},
        {"mbox": "mailto:sam@example.org"},
    ],
}


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
    version: int


@routes.put(
    "/v1/members/{member_id}",
    roles={"platform"},
    summary="Create or change a member",
    description="The whole member each time. The log follows a changed renewal date or identifier.",
    body=MemberIn,
    answer=Member,
    status=(200, 201),
    etag=True,
    problems=(Conflict,),
    example=EXAMPLE,
)
async def put_member(call: Call, body: MemberIn) -> Answer:
    """Store what the membership system knows of a member (R82)."""
    member_id = call.path["member_id"]
    if not is_member_id(member_id):
        message = f"A member id must match {MEMBER_ID}."
        raise ValidationFailed(message, field_errors=[FieldError("/path/member_id", "Member id", message)])
    put = await call.service(MEMBERS).put(member_id, body)
    assert put is not None  # only a revision can be out of date
    member = {**put.member, "member_id": member_id}
    return Answer(member, status=201 if put.created else 200, version=put.member["version"])
