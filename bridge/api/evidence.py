"""``/v1/log/{id}/evidence`` and ``/v1/evidence/{id}``: files that support a log entry."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from datetime import datetime
from http import HTTPStatus

from aiohttp import web
from pydantic import BaseModel, Field

from bridge.api.http.context import SETTINGS, Call, etag, not_modified
from bridge.api.http.pagination import Page, PageBody, PageQuery, Sort, ordered, paged
from bridge.api.http.routing import Answer, Routes, Schema
from bridge.api.http.service_keys import EVIDENCE
from bridge.api.http.transfers import FORM, attachment, file_part, in_time, send
from bridge.domain.record.files import KINDS, SORTABLE, TAKEN, EvidenceFile, EvidenceState, evidence_summary
from bridge.errors import Conflict, RecordFrozen
from bridge.services.record.evidence import Upload

routes = Routes("Evidence", "Files that the member adds to a log entry by hand; none is ever needed (R66-R69).")

EXAMPLE: Schema = {
    "id": "0c7f3a52d1b94e0f8a6d5b2c9e1f4a70",
    "name": "certificate.pdf",
    "size": 48211,
    "sha256": "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
    "media_type": "application/pdf",
    "state": "clean",
    "uploaded_at": "2026-05-04T10:00:00Z",
    "version": 1,
}


class EvidenceItem(BaseModel):
    """A file of an entry."""

    model_config = {"json_schema_extra": {"examples": [EXAMPLE]}}

    id: str
    name: str = Field(description="The name that the member's file had.")
    size: int = Field(description="Bytes.")
    sha256: str = Field(description="SHA-256 of the content, in hexadecimal digits.")
    media_type: str
    state: EvidenceState = Field(
        description="Only a `clean` file can be downloaded; a `quarantined` one is being checked for viruses, "
        "a `rejected` one had a virus and lost its content."
    )
    uploaded_at: datetime
    version: int = Field(description="For `If-Match` when it is deleted.")


class EvidenceQuery(PageQuery):
    """Which page of an entry's evidence, the oldest first unless told otherwise."""

    sort: Sort = Field("uploaded_at", description="`uploaded_at`, or `-uploaded_at`.")


FORM_SCHEMA: Schema = {
    "type": "object",
    "properties": {
        "file": {
            "type": "string",
            "contentMediaType": "application/octet-stream",
            "description": f"One file, with its name. Taken are: {', '.join(TAKEN)}.",
        }
    },
    "required": ["file"],
    "additionalProperties": False,
}


@routes.get("/v1/log/{entry_id}/evidence", roles={"member"}, query=EvidenceQuery, answer=Page[EvidenceItem])
async def list_evidence(call: Call, query: EvidenceQuery) -> PageBody:
    """List the evidence of a log entry (R66)."""
    member_id, entry_id = call.caller.subject, call.path["entry_id"]
    scope = f"evidence:{member_id}:{entry_id}"
    sort, after = ordered(scope, query, SORTABLE)
    page = await call.service(EVIDENCE).list(member_id, entry_id, sort, query.limit, after)
    return paged(page, scope, query, evidence_summary)


@routes.post(
    "/v1/log/{entry_id}/evidence",
    roles={"member"},
    takes={FORM: FORM_SCHEMA},
    answer=EvidenceItem,
    status=201,
    etag=True,
    idempotent=True,
    timed=False,
    problems=(RecordFrozen,),
    description="One file in the part `file`. Its content has to be what the ending of its name says. "
    "When a virus scanner is at work, a file it has not cleared yet stays `quarantined` for a while.",
)
async def add_evidence(call: Call) -> Answer:
    """Add evidence to a log entry (R66, R68)."""
    member_id, entry_id = call.caller.subject, call.path["entry_id"]
    service = call.service(EVIDENCE)
    if call.idempotency_key() is None:  # a repeat gets its answer even when nothing more may be added
        await service.check(member_id, entry_id)
    async with in_time(call):
        part = await file_part(call, call.request.app[SETTINGS].evidence_max_bytes)
        evidence = await service.add(member_id, entry_id, Upload(part.name, part.content, call.attempt))
    return Answer(evidence, version=evidence["version"], location=f"/v1/evidence/{evidence['id']}")


@routes.get(
    "/v1/evidence/{evidence_id}",
    roles={"member"},
    gives={kind.media_type: {"type": "string", "contentMediaType": kind.media_type} for kind in KINDS},
    etag=True,
    timed=False,
    problems=(Conflict,),
    description="Always an attachment, under the name that the member's file had.",
)
async def get_evidence(call: Call) -> web.StreamResponse:
    """Download evidence."""
    return await send_file(call, *await call.service(EVIDENCE).content(call.caller.subject, call.path["evidence_id"]))


async def send_file(call: Call, document: EvidenceFile, content: AsyncGenerator[bytes]) -> web.StreamResponse:
    """Answer with one file as an attachment, or 304 to a client that has it."""
    await call.release()
    tag = etag(document["version"])
    if not_modified(call.request.headers.get("If-None-Match"), tag):
        return web.Response(status=HTTPStatus.NOT_MODIFIED, headers={"ETag": tag})
    headers = {
        "Content-Disposition": attachment(document["name"]),
        "Content-Length": str(document["length"]),
        "Content-Security-Policy": "sandbox; default-src 'none'; frame-ancestors 'none'",  # harmless if it is shown
        "Content-Type": _content_type(document),
        "ETag": tag,
    }
    async with in_time(call):
        return await send(call, content, headers)


@routes.delete(
    "/v1/evidence/{evidence_id}",
    roles={"member"},
    if_match=True,
    problems=(RecordFrozen,),
    description="For good: a deleted file cannot be restored.",
)
async def delete_evidence(call: Call) -> None:
    """Delete evidence (R56)."""
    await call.service(EVIDENCE).delete(call.caller.subject, call.path["evidence_id"], call.check_version)


def _content_type(document: EvidenceFile) -> str:
    media_type = document["media_type"]
    return f"{media_type}; charset=utf-8" if media_type.startswith("text/") else media_type
