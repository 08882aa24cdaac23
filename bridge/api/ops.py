"""``/v1/ops``: the queues, the dead letters and the parked statements."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, Field, model_validator

from bridge.api.http.context import Call
from bridge.api.http.inputs import InputModel
from bridge.api.http.middleware import reader
from bridge.api.http.pagination import Page, PageBody, PageQuery, ordered, paged, position
from bridge.api.http.routing import Body, Routes
from bridge.api.http.schemas import Id, OneOf
from bridge.api.http.service_keys import OPERATIONS
from bridge.domain.members import MEMBER_ID
from bridge.domain.operations.letters import AGE, SORTABLE, DeadLetterFilter
from bridge.domain.statements import DEAD_LETTER_REASONS, Reason
from bridge.services.operations.dead_letters import MOST_AT_ONCE, DeadLetterResult

routes = Routes("Operations", "What waits, what got stuck, and how to set it going again.")

DeadLetterReason = Annotated[Reason, OneOf(reason for reason in Reason if reason in DEAD_LETTER_REASONS)]
Age = Annotated[str, Field(pattern=AGE, description="A number with s, m, h or d, for example 90m or 7d.")]
MemberId = Annotated[str, Field(pattern=MEMBER_ID)]


class LetterQuery(PageQuery):
    """Which dead letters, in which order."""

    reason: DeadLetterReason | None = Field(None, description="Why it was refused.")
    older_than: Age | None = None
    younger_than: Age | None = None
    member: MemberId | None = Field(None, description="Those whose statement, or feed message, is about this member.")
    sort: str = Field("-failed_at", max_length=200, description="Of failed_at and reason; `-` for descending.")


class ShowQuery(InputModel):
    """Options of showing a dead letter."""

    reveal: bool = Field(default=False, description="Show the body as it is, names and all; noted in the access log.")


class DeadLetterSelection(InputModel):
    """The dead letters to deal with: ids, or a filter whose conditions all hold, or ``all``."""

    ids: list[str] | None = Field(None, min_length=1, max_length=MOST_AT_ONCE)
    reason: DeadLetterReason | None = None
    older_than: Age | None = None
    younger_than: Age | None = None
    member: MemberId | None = None
    all: Literal[True] | None = Field(None, description="Every letter; say so, since nothing given is a mistake.")

    @model_validator(mode="after")
    def _something(self) -> Self:
        if not self.model_dump(exclude_none=True):
            raise ValueError("name ids, or a filter (reason, older_than, younger_than, member), or all: true")
        return self

    def to_filter(self) -> DeadLetterFilter:
        """Return it as the service asks."""
        ids = None if self.ids is None else tuple(self.ids)
        return DeadLetterFilter(ids, self.reason, self.older_than, self.younger_than, self.member)


class LetterRow(BaseModel):
    """A dead letter in the list."""

    id: Id
    reason: DeadLetterReason
    detail: str = Field(description="Where it is wrong (a JSON Pointer) and what was expected; never the value.")
    exchange: str = Field(description="Where it came from, and a replay puts it.")
    routing_key: str
    correlation_id: str
    failed_at: datetime
    attempts: int
    size: int = Field(description="Bytes of the body.")
    content_type: str | None
    content_encoding: str | None


class LetterOut(LetterRow):
    """A dead letter with its body."""

    shown: Literal["masked", "revealed", "unreadable", "not_kept"] = Field(
        description="`unreadable`: not JSON, or nested too deep, so that it can be shown only revealed; "
        "`not_kept`: only the queue has it."
    )
    body: Any = Field(description="The message: JSON, or text when it is unreadable.")


class DeadLetterReport(BaseModel):
    """The result of a replay or discard."""

    replayed: int
    discarded: int
    refused: list[str] = Field(description="Letters that no queue of ours takes back; they stay.")
    missing: list[str] = Field(description="Ids that are not, or no longer, dead letters.")
    more: bool = Field(description="Further letters are chosen: call again.")


class QueueOut(BaseModel):
    """A queue, and what waits in it."""

    name: Literal["completions", "members", "dead_letters", "events", "parked"]
    depth: int | None = Field(description="Messages ready; null when the queue does not exist.")
    consumers: int | None
    oldest_age: float | None = Field(description="Seconds; null when it is not known or nothing waits.")


class QueuesOut(BaseModel):
    """Every queue, and the dead letters by reason."""

    items: list[QueueOut]
    dead_letters_by_reason: dict[str, int]


class ParkedRow(BaseModel):
    """A statement that waits for its actor to become known (decision 10)."""

    statement_id: str
    identifier: Literal["mbox", "mbox_sha1sum", "openid", "account"] = Field(description="How it names its actor.")
    parked_at: datetime


@routes.get("/v1/ops/queues", roles={"ops"}, answer=QueuesOut)
async def queues(call: Call) -> Body:
    """What waits where."""
    backlogs, reasons = await call.service(OPERATIONS).backlogs()
    return {"items": backlogs, "dead_letters_by_reason": reasons}


@routes.get("/v1/ops/dead-letters", roles={"ops"}, query=LetterQuery, answer=Page[LetterRow])
async def dead_letters(call: Call, query: LetterQuery) -> PageBody:
    """List dead letters."""
    sort, after = ordered("dead-letters", query, SORTABLE)
    letter_filter = DeadLetterFilter(None, query.reason, query.older_than, query.younger_than, query.member)
    page = await call.service(OPERATIONS).list(letter_filter, sort, query.limit, after)
    return paged(page, "dead-letters", query)


@routes.get("/v1/ops/dead-letters/{letter_id}", roles={"ops"}, query=ShowQuery, answer=LetterOut)
async def dead_letter(call: Call, query: ShowQuery) -> Body:
    """Show a dead letter, its names masked."""
    reveal_to = reader(call.request) if query.reveal else None
    return await call.service(OPERATIONS).show(call.path["letter_id"], reveal_to=reveal_to)


@routes.post("/v1/ops/dead-letters/{letter_id}/replay", roles={"ops"}, answer=DeadLetterReport)
async def replay_one(call: Call) -> DeadLetterResult:
    """Put a dead letter back where it came from."""
    return await call.service(OPERATIONS).replay(DeadLetterFilter(ids=(call.path["letter_id"],)))


@routes.post("/v1/ops/dead-letters/{letter_id}/discard", roles={"ops"}, answer=DeadLetterReport)
async def discard_one(call: Call) -> DeadLetterResult:
    """Remove a dead letter for good."""
    return await call.service(OPERATIONS).discard(DeadLetterFilter(ids=(call.path["letter_id"],)))


@routes.post(
    "/v1/ops/dead-letters/replay",
    roles={"ops"},
    body=DeadLetterSelection,
    answer=DeadLetterReport,
    example={"reason": "exhausted", "younger_than": "2h"},
)
async def replay(call: Call, body: DeadLetterSelection) -> DeadLetterResult:
    """Put dead letters back where they came from."""
    return await call.service(OPERATIONS).replay(body.to_filter())


@routes.post(
    "/v1/ops/dead-letters/discard",
    roles={"ops"},
    body=DeadLetterSelection,
    answer=DeadLetterReport,
    example={"reason": "not_json", "older_than": "30d"},
)
async def discard(call: Call, body: DeadLetterSelection) -> DeadLetterResult:
    """Remove dead letters for good."""
    return await call.service(OPERATIONS).discard(body.to_filter())


@routes.get("/v1/ops/parked", roles={"ops"}, query=PageQuery, answer=Page[ParkedRow])
async def parked(call: Call, query: PageQuery) -> PageBody:
    """List statements that wait for their actor."""
    page = await call.service(OPERATIONS).parked(query.limit, position("parked", query, (datetime, str)))
    return paged(page, "parked", query, _parked)


def _parked(item: Mapping[str, Any]) -> Body:
    kind = str(item["actor_key"]).partition(":")[0]
    return {"statement_id": item["_id"], "identifier": kind, "parked_at": item["at"]}
