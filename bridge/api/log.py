"""``/v1/log``: the member's record of completed CPD."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any, Literal

from pydantic import BaseModel, Field

from bridge.api.context import Call
from bridge.api.pagination import Page, PageQuery, decode_cursor, encode_cursor, parse_sort
from bridge.api.parts import LOG
from bridge.api.routing import Answer, Routes
from bridge.domain.entries import SORTABLE
from bridge.services.log import LogFilter

routes = Routes("Log", "Completed CPD, recorded by itself or by hand.")

OPTIONAL = ("title", "type", "date", "description", "minutes", "provenance")

Source = Literal["learning_centre", "manual", "import"]


class LogQuery(PageQuery):
    """Which entries, in which order."""

    period: str = Field("current", max_length=40, description="A period id, `current` or `all`.")
    sort: str = Field("-date", max_length=200, description="Of date, title and type; `-` for descending.")


class LogRow(BaseModel):
    """An entry in the list (R23)."""

    id: str
    title: str | None
    type: str | None
    date: date | None
    draft: bool
    complete: bool
    source: Source


class Provenance(BaseModel):
    """Where an automatic entry comes from; shown, never writable."""

    statement_ids: list[str]
    activity_id: str
    registration: str | None
    actor_key: str
    received_at: datetime
    original_title: str
    original_description: str
    voided: bool = False


class LogEntry(LogRow):
    """An entry as the member edits it."""

    description: str | None
    minutes: int | None
    period_id: str | None
    missing_fields: list[str]
    form_version: str
    frozen: bool
    version: int
    created_at: datetime
    updated_at: datetime
    provenance: Provenance | None


@routes.get("/v1/log", roles={"member"}, query=LogQuery, answer=Page[LogRow], summary="List my log")
async def list_log(call: Call, query: LogQuery) -> dict[str, Any]:
    """Return a page of the member's entries, of the current period unless told otherwise (R17, R22)."""
    sort = parse_sort(query.sort, SORTABLE)
    scope = f"log:{call.caller.subject}"
    after = decode_cursor(scope, query, 2 * len(sort) + 1)
    page = await call.service(LOG).list(call.caller.subject, LogFilter(query.period), sort, query.limit, after)
    return {
        "items": [_shown(entry) for entry in page.items],
        "next": page.next and encode_cursor(page.next, scope, query),
        "total": page.total,
    }


@routes.get("/v1/log/{entry_id}", roles={"member"}, answer=LogEntry, etag=True, summary="One log entry")
async def get_entry(call: Call) -> Answer:
    """Return one of the member's entries (R24)."""
    entry = await call.service(LOG).get(call.caller.subject, call.path["entry_id"])
    return Answer(_shown(entry), version=entry["version"])


def _shown(entry: dict[str, Any]) -> dict[str, Any]:
    return {**dict.fromkeys(OPTIONAL), **entry, "id": entry["_id"], "frozen": bool(entry.get("frozen"))}
