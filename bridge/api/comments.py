"""``/v1/periods/{id}/comments``: the supporting information of a membership year."""

from __future__ import annotations

from datetime import datetime

from pydantic import BaseModel, Field

from bridge.api.http.context import Call
from bridge.api.http.inputs import InputModel
from bridge.api.http.pagination import Page, PageBody, PageQuery, Sort, ordered, paged
from bridge.api.http.routing import Answer, Routes
from bridge.api.http.schemas import Id
from bridge.api.http.service_keys import COMMENTS
from bridge.domain.record.comments import SORTABLE
from bridge.errors import RecordFrozen

routes = Routes("Comments", "Notes about a membership year. Posted, they stay: nothing changes or deletes one (R51).")

EXAMPLE = {"text": "The course I had planned was cancelled; I read the two books instead."}


class CommentQuery(PageQuery):
    """Which page of the comments, the oldest first unless told otherwise."""

    sort: Sort = Field("created_at", description="`created_at`, or `-created_at`.")


class CommentIn(InputModel):
    """A comment as the member posts it."""

    text: str = Field(min_length=1, max_length=100_000, description="Plain text, kept and shown as it is.")
    refers_to: str | None = Field(
        None,
        max_length=200,
        title="Refers to",
        description="The id of a plan item or log entry of the same record (R52).",
    )


class Comment(BaseModel):
    """A comment."""

    id: Id
    text: str
    refers_to: str | None
    author: str = Field(description="The id of the member who posted it.")
    created_at: datetime


@routes.get("/v1/periods/{period_id}/comments", roles={"member"}, query=CommentQuery, answer=Page[Comment])
async def list_comments(call: Call, query: CommentQuery) -> PageBody:
    """List the comments on a membership year (R50)."""
    member_id, period_id = call.caller.subject, call.path["period_id"]
    scope = f"comments:{member_id}:{period_id}"
    sort, after = ordered(scope, query, SORTABLE)
    page = await call.service(COMMENTS).list(member_id, period_id, sort, query.limit, after)
    return paged(page, scope, query)


@routes.post(
    "/v1/periods/{period_id}/comments",
    roles={"member"},
    body=CommentIn,
    answer=Comment,
    status=201,
    idempotent=True,
    problems=(RecordFrozen,),
    example=EXAMPLE,
    description="For what explains the record, such as why something planned was not done. A comment cannot be "
    "changed or deleted; to correct one, post another. Closed while the year is frozen.",
)
async def add_comment(call: Call, body: CommentIn) -> Answer:
    """Comment on a membership year (R50-R52)."""
    member_id, period_id = call.caller.subject, call.path["period_id"]
    attempt = call.attempt(body)
    return Answer(await call.service(COMMENTS).add(member_id, period_id, body.text, body.refers_to, attempt))
