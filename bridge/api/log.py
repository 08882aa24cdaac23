"""``/v1/log``: the member's record of completed CPD."""

from __future__ import annotations

from datetime import datetime

from pydantic import BaseModel, Field

from bridge.api.evidence import EvidenceItem
from bridge.api.http.context import Call
from bridge.api.http.inputs import InputModel
from bridge.api.http.languages import Words
from bridge.api.http.pagination import Page, PageBody, PageQuery, Sort, ordered, paged
from bridge.api.http.routing import Answer, Body, Routes
from bridge.api.http.schemas import Id
from bridge.api.http.service_keys import LOG
from bridge.domain.fields import Day
from bridge.domain.forms import Values
from bridge.domain.record.entries import SORTABLE, Source, StoredEntry
from bridge.domain.statements import origin_in_words
from bridge.errors import Conflict, NotFound, RecordFrozen
from bridge.services.record.log import LogFilter

routes = Routes("Log", "Completed CPD, recorded by itself or by hand.")

EXAMPLE = {
    "title": "Working with grief",
    "type": "course",
    "date": "2026-05-04",
    "minutes": 90,
    "description": "A day's course on loss in later life.",
    "draft": True,
}
EXAMPLE_PATCH = {"learning": "How differently people grieve.", "provider": None, "draft": False}


class LogQuery(PageQuery):
    """Which entries, in which order."""

    period: str = Field(
        "current",
        max_length=40,
        description="A period id, `current` or `all`. The current period's list ends with the entries that have no "
        "date yet, so that they stay in sight (R76).",
    )
    q: str = Field(
        "",
        max_length=200,
        description="Words, each the beginning of a word in any text of the entry or in the label of a choice; case "
        "and accents do not matter. Codes, dates, numbers and choices by default are not searched.",
    )
    date_from: Day | None = Field(None, description="The first day, included.")
    date_to: Day | None = Field(None, description="The last day, included.")
    type: str | None = Field(None, max_length=40, description="A choice of the form's field `type`.")
    source: Source | None = Field(None, description="How the entry came to be.")
    draft: bool | None = Field(None, description="Whether it is a draft.")
    complete: bool | None = Field(None, description="Whether it is complete.")
    needs_attention: bool | None = Field(None, description="Whether anything is left to do: all that is not complete.")
    linked: bool | None = Field(None, description="Whether it is linked with a plan item (R47).")
    sort: Sort = Field(
        "-date",
        description="Of `date`, `title`, `type` and `complete`; `-` for descending. What is empty comes last.",
    )


class LogRow(BaseModel):
    """An entry in the list (R23)."""

    id: Id
    reference: str | None = Field(None, description="The number that people use, such as L3.")
    title: str | None = None
    type: str | None = None
    date: Day | None = None
    draft: bool
    complete: bool = Field(description="Draft is off and no needed field is empty (R38).")
    source: Source
    plan_ids: list[str] = Field(description="The plan items it is linked with.")
    frozen: bool = Field(description="Submitted for the Register Audit, and closed to changes.")
    version: int


class Provenance(BaseModel):
    """The provenance of an automatic entry; shown, never writable."""

    statement_ids: list[str]
    activity_id: str
    registration: str | None
    actor_key: str
    received_at: datetime
    original_title: str
    original_description: str
    text: Words = Field(description="Where it came from, in words.")
    voided: bool = Field(False, description="The Learning centre took the completion back after you had edited it.")


class LogEntry(LogRow):
    """An entry as the member edits it."""

    period_id: str | None
    missing_fields: list[str] = Field(description="Needed fields that are empty, in the form's order.")
    form_version: str
    frozen_since: datetime | None
    created_at: datetime
    updated_at: datetime
    finished_at: datetime | None = None
    evidence: list[EvidenceItem] = Field(default_factory=list[EvidenceItem])
    provenance: Provenance | None = None


class LogEntryIn(InputModel):
    """A new entry: the fields of the form, none of them needed for saving."""

    draft: bool = Field(True, title="Draft", description="Off says: I have finished this (R37).")


class LogEntryPatch(InputModel):
    """Changes of an entry: only what is named changes; null empties a field."""

    draft: bool = Field(True, title="Draft", description="Off says: I have finished this (R37).")


@routes.get(
    "/v1/log",
    roles={"member"},
    query=LogQuery,
    answer=Page[LogRow],
    problems=(NotFound,),
    description="404 for a `period` that is none of mine.",
)
async def list_log(call: Call, query: LogQuery) -> PageBody:
    """List my log (R17, R20-R23, R30)."""
    scope = f"log:{call.caller.subject}"
    sort, after = ordered(scope, query, SORTABLE)
    entry_filter = LogFilter(**query.model_dump(exclude={"limit", "cursor", "sort"}))
    page = await call.service(LOG).list(call.caller.subject, entry_filter, sort, query.limit, after)
    return paged(page, scope, query, shown)


@routes.post(
    "/v1/log",
    roles={"member"},
    body=LogEntryIn,
    answer=LogEntry,
    worded=True,
    status=201,
    etag=True,
    idempotent=True,
    problems=(RecordFrozen,),
    description="For CPD done elsewhere, or before; any day up to today, unless its period is frozen. An entry may "
    "be saved with gaps: then it is not complete, and `missing_fields` says why.",
)
async def create_entry(call: Call, body: LogEntryIn) -> Answer:
    """Log an activity (R32, R33, R35)."""
    values, draft = _given(body)
    entry = await call.service(LOG).create(call.caller.subject, values, draft is not False, call.attempt(body))
    return _answer(entry, created=True)


@routes.get("/v1/log/{entry_id}", roles={"member"}, answer=LogEntry, worded=True, etag=True)
async def get_entry(call: Call) -> Answer:
    """One log entry (R24)."""
    return _answer(await call.service(LOG).get(call.caller.subject, call.path["entry_id"]))


@routes.patch(
    "/v1/log/{entry_id}",
    roles={"member"},
    body=LogEntryPatch,
    answer=LogEntry,
    worded=True,
    etag=True,
    if_match=True,
    problems=(RecordFrozen,),
    description="Automatic entries too. Taking `draft` off with gaps is saved, and leaves the entry incomplete; "
    "emptying a needed field makes it incomplete again.",
)
async def edit_entry(call: Call, body: LogEntryPatch) -> Answer:
    """Change a log entry (R30, R35-R38)."""
    changes, draft = _given(body)
    service, entry_id = call.service(LOG), call.path["entry_id"]
    return _answer(await service.edit(call.caller.subject, entry_id, changes, draft, call.check_version))


@routes.delete(
    "/v1/log/{entry_id}",
    roles={"member"},
    if_match=True,
    problems=(RecordFrozen,),
    description="It can be restored for 30 days, with its links. A deleted automatic entry does not come back by "
    "itself.",
)
async def delete_entry(call: Call) -> None:
    """Delete a log entry (decision 5)."""
    await call.service(LOG).delete(call.caller.subject, call.path["entry_id"], call.check_version)


@routes.post(
    "/v1/log/{entry_id}/restore",
    roles={"member"},
    answer=LogEntry,
    worded=True,
    etag=True,
    problems=(Conflict, RecordFrozen),
    description="Within 30 days of deleting it; its links come back. One that is not deleted stays as it is.",
)
async def restore_entry(call: Call) -> Answer:
    """Restore a deleted log entry (decision 5)."""
    return _answer(await call.service(LOG).restore(call.caller.subject, call.path["entry_id"]))


@routes.post(
    "/v1/log/{entry_id}/copy",
    roles={"member"},
    answer=LogEntry,
    worded=True,
    status=201,
    etag=True,
    idempotent=True,
    description="For what recurs, such as a group that meets every year: the texts are copied, the days, the number, "
    "the links, the evidence and the provenance are not.",
)
async def copy_entry(call: Call) -> Answer:
    """Copy a log entry as a new draft (R77, R78)."""
    entry = await call.service(LOG).copy(call.caller.subject, call.path["entry_id"], call.attempt())
    return _answer(entry, created=True)


def _given(body: BaseModel) -> tuple[Values, bool | None]:
    """Return what a body says: the form's fields, with dates as text, and ``draft``, or None when it is not named."""
    values = body.model_dump(mode="json", exclude_unset=True)
    return values, values.pop("draft", None)


def _answer(entry: StoredEntry, *, created: bool = False) -> Answer:
    location = f"/v1/log/{entry['_id']}" if created else None
    return Answer(shown(entry), version=entry["version"], location=location, has_words="provenance" in entry)


def shown(entry: StoredEntry) -> Body:
    """Return an entry as it is shown."""
    freeze = entry.get("frozen")
    since = freeze["since"] if freeze else None
    provenance = entry.get("provenance")
    origin = None if provenance is None else {**provenance, "text": origin_in_words(provenance)}
    return {**entry, "frozen": freeze is not None, "frozen_since": since, "provenance": origin}
