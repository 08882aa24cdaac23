"""``/v1/ops/statements``: what became of statements, for operations and the Learning centre."""

from __future__ import annotations

from contextlib import aclosing, suppress
from dataclasses import asdict
from datetime import UTC, datetime
from time import monotonic
from typing import Annotated

import structlog
from pydantic import AwareDatetime, BaseModel, Field, StringConstraints

from bridge.api.http.context import SETTINGS, Call
from bridge.api.http.inputs import InputModel
from bridge.api.http.middleware import reader
from bridge.api.http.pagination import Page, PageBody, PageQuery, paged, position
from bridge.api.http.routing import Body, Routes
from bridge.api.http.schemas import OneOf
from bridge.api.http.service_keys import RECONSIDERER, STATEMENT_LOOKUP
from bridge.domain.fields import Day, utc_bound
from bridge.domain.members import IDENTIFIER_FORMS, MEMBER_ID, typed_keys
from bridge.domain.statements import (
    IGNORE_REASONS,
    LEDGER_DISPOSITIONS,
    RECONSIDERABLE,
    Disposition,
    Reason,
    Reconsideration,
    StatementFate,
    Via,
    WaitsFor,
    fate_in_words,
)
from bridge.errors import FieldError, ValidationFailed
from bridge.services.statements.lookup import FateFilter
from bridge.store import FAR_AHEAD, LONG_AGO, FateQuery, Place

log = structlog.get_logger(__name__)

routes = Routes("Statements", "What became of each statement, for operations and for a sender that reconciles.")

MOST_IDS = 500
"""Statements of one lookup: as many as a message may hold."""

DispositionName = Annotated[str, OneOf(Disposition)]
ReasonName = Annotated[str, OneOf(Reason)]
IgnoreReason = Annotated[str, OneOf(RECONSIDERABLE)]
StatementId = Annotated[str, StringConstraints(min_length=1, max_length=100)]
Moment = Day | AwareDatetime

ACCESS_NOTICE = "A look by member or identifier is in the member's access history before the answer leaves."


class FateListQuery(PageQuery):
    """Which statements."""

    member_id: str | None = Field(
        None, pattern=MEMBER_ID, description="Those of this member, by every identifier that is or was theirs."
    )
    identifier: str | None = Field(
        None, max_length=1000, description=f"Those whose actor has this identifier: {IDENTIFIER_FORMS}."
    )
    disposition: Annotated[str, OneOf(LEDGER_DISPOSITIONS)] | None = Field(None, description="How they ended.")
    reason: Annotated[str, OneOf(sorted(IGNORE_REASONS))] | None = Field(None, description="Why they were ignored.")
    received_from: Moment | None = Field(None, alias="from", description="A day in UTC, or a time; included.")
    received_to: Moment | None = Field(
        None, alias="to", description="A day in UTC, which is included, or a time, which is not."
    )

    def to_filter(self) -> FateFilter:
        """Return it as the service asks; raises ``ValidationFailed`` for what is no identifier."""
        start, end = utc_bound(self.received_from, LONG_AGO), utc_bound(self.received_to, FAR_AHEAD, days=1)
        keys = None if self.identifier is None else _keys(self.identifier)
        return FateFilter(self.member_id, keys, self.disposition, self.reason, start, end)


class StatementRow(BaseModel):
    """What became of a statement; no text of it."""

    id: str
    disposition: DispositionName | None = Field(description="Null while no worker has taken it, or it never came.")
    reason: ReasonName | None
    detail: str | None = Field(description="Of a dead letter: where it is wrong and what was expected.")
    received_at: datetime | None = Field(description="Of a dead letter, when it was put aside; null: not received.")
    via: Via | None = Field(description="`amqp`: from the exchange; `http`: to `/xapi/`; `pull`: from another LRS.")
    member_id: str | None = Field(description="Whose log it was for; in a list by member or identifier alone.")
    entry_id: str | None = Field(description="The log entry that it made or joined; as `member_id`.")
    voided_by: str | None = Field(description="The statement that voids it.")
    waits_for: WaitsFor | None = Field(description="Its actor to be known, a freeze to end, or a worker to take it.")
    period_id: str | None = Field(description="The frozen year that it waits for.")
    text: str = Field(description="The same in words, with the setting to look at.")


class FateInWords(StatementFate):
    """A fate with the sentence that says it."""

    text: str


class LookupIn(InputModel):
    """The statements to look up."""

    ids: list[StatementId] = Field(
        min_length=1, max_length=MOST_IDS, description="Ids of statements, as they were sent."
    )


class LookupRow(BaseModel):
    """What became of one of them; `received_at` is null when it never came."""

    id: str
    disposition: DispositionName | None
    reason: ReasonName | None
    received_at: datetime | None


class LookupOut(BaseModel):
    """A row for each id, in the order asked."""

    items: list[LookupRow]


class ReconsiderIn(InputModel):
    """The ignored statements to judge again."""

    reason: IgnoreReason | None = Field(None, description="Those that were ignored for this; all when left out.")
    received_from: Moment | None = Field(None, alias="from", description="A day in UTC, or a time; included.")
    received_to: Moment | None = Field(
        None, alias="to", description="A day in UTC, which is included, or a time, which is not."
    )
    dry_run: bool = Field(default=False, description="Judge and count, but record nothing.")
    after: str | None = Field(None, max_length=200, description="`next` of the call before, to go on from there.")

    def to_query(self) -> FateQuery:
        """Return it as the service asks."""
        start, end = utc_bound(self.received_from, LONG_AGO), utc_bound(self.received_to, FAR_AHEAD, days=1)
        return FateQuery(reason=self.reason, start=start, end=end)

    def to_place(self) -> Place | None:
        """Return where to go on; raises ``ValidationFailed`` for what is no ``next`` of ours."""
        if self.after is None:
            return None
        with suppress(ValueError, OverflowError):
            reason, at, statement_id = self.after.split("/")
            return reason, datetime.fromisoformat(at).astimezone(UTC), statement_id
        message = "Give the next of the call before, or leave it out."
        raise ValidationFailed(message, field_errors=[FieldError("/after", "After", message)])


class JudgedCount(BaseModel):
    """How many statements were judged, and how many of them count by today's settings."""

    statements: int
    counting: int


class ReasonRow(JudgedCount):
    """The statements that were ignored for a reason."""

    reason: IgnoreReason


class PrefixRow(JudgedCount):
    """The statements whose activity's IRI begins so; after a hundred prefixes, `others`."""

    prefix: str


class ReconsiderOut(BaseModel):
    """What was judged, and what became of what counts."""

    dry_run: bool
    total: JudgedCount
    by_reason: list[ReasonRow]
    by_prefix: list[PrefixRow] = Field(description="Those with most statements first.")
    outcomes: dict[str, int] = Field(
        description="Disposition → statements settled anew; empty in a dry run. `ignored`: for another reason."
    )
    without_text: int = Field(description="Their text is past `BRIDGE_RETENTION_IGNORED_DAYS`: nothing can be judged.")
    failed: int = Field(description="They could not be recorded; the log says why, and they stay as they were.")
    next: str | None = Field(description="There are more: call again with it as `after`. Null: that was all.")


@routes.get(
    "/v1/ops/statements",
    roles={"ops", "platform"},
    query=FateListQuery,
    answer=Page[StatementRow],
    description="The newest first; it has one order. Dead letters have a list of their own (`/v1/ops/dead-letters`). "
    f"{ACCESS_NOTICE}",
)
async def list_statements(call: Call, query: FateListQuery) -> PageBody:
    """List what became of statements (R64)."""
    after = position("statements", query, (datetime, str))
    page = await call.service(STATEMENT_LOOKUP).list(query.to_filter(), reader(call.request), query.limit, after)
    return paged(page, "statements", query, _shown)


@routes.get(
    "/v1/ops/statements/{statement_id}",
    roles={"ops", "platform"},
    answer=StatementRow,
    description="404 for one that was not received. Whose statement it is has the look in their access history.",
)
async def get_statement(call: Call) -> FateInWords:
    """What became of a statement (R64)."""
    return _shown(await call.service(STATEMENT_LOOKUP).get(call.path["statement_id"], reader(call.request)))


@routes.post(
    "/v1/ops/statements/lookup",
    roles={"ops", "platform"},
    body=LookupIn,
    answer=LookupOut,
    example={"ids": ["0b1e9a52-6a63-4b39-9d0c-2f5d4d2f7c11", "7f7de2a1-6e0b-4f0e-8f0a-3c0f8f0f1b22"]},
    description="For a sender that reconciles what it sent: each id, in the order asked. A `disposition` of null with "
    "`received_at` null says that it was not received; send it again.",
)
async def look_up_statements(call: Call, body: LookupIn) -> dict[str, list[StatementFate]]:
    """Look up many statements."""
    return {"items": await call.service(STATEMENT_LOOKUP).fates(body.ids)}


@routes.post(
    "/v1/ops/statements/reconsider",
    roles={"ops"},
    body=ReconsiderIn,
    answer=ReconsiderOut,
    example={"reason": "not_catalogue", "from": "2026-03-01", "to": "2026-03-31", "dry_run": True},
    description="What counts by today's settings becomes a draft, once, and is told as if it had come now. Do a "
    "`dry_run` first. It is safe to stop and to repeat; a call that takes long answers with `next`. The command "
    "`cpd-bridge reconsider` does the same with progress.",
)
async def reconsider_statements(call: Call, body: ReconsiderIn) -> Body:
    """Judge ignored statements again."""
    report, place = Reconsideration(), body.to_place()
    until = monotonic() + call.request.app[SETTINGS].request_timeout / 2
    pieces = call.service(RECONSIDERER).run(body.to_query(), report, dry_run=body.dry_run, after=place)
    async with aclosing(pieces):
        async for position in pieces:
            place = position
            if monotonic() > until:
                break
        else:
            place = None
    log.info("statements reconsidered", dry_run=body.dry_run, judged=report.total.statements, **report.outcomes)
    return {**_report(report), "dry_run": body.dry_run, "next": place and "/".join(map(str, place))}


def _report(report: Reconsideration) -> Body:
    prefixes = sorted(report.by_prefix.items(), key=lambda pair: -pair[1].statements)
    return {
        "total": report.total,
        "by_reason": [{"reason": reason, **asdict(count)} for reason, count in sorted(report.by_reason.items())],
        "by_prefix": [{"prefix": prefix, **asdict(count)} for prefix, count in prefixes],
        "outcomes": report.outcomes,
        "without_text": report.without_text,
        "failed": report.failed,
    }


def _shown(fate: StatementFate) -> FateInWords:
    return {**fate, "text": fate_in_words(fate)}


def _keys(text: str) -> tuple[str, ...]:
    try:
        return typed_keys(text)
    except ValueError:
        message = f"Give {IDENTIFIER_FORMS}."
        raise ValidationFailed(message, field_errors=[FieldError("?identifier", "Identifier", message)]) from None
