"""Statements with attachments: ``multipart/mixed`` in and out, streamed (xAPI-Communication §1.5.2)."""

from __future__ import annotations

import uuid
from collections.abc import AsyncIterator, Generator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from aiohttp import BodyPartReader, MultipartReader, web
from aiohttp.http_exceptions import HttpProcessingError
from multidict import CIMultiDict

from bridge.domain.lrs import ATTACHMENTS_CLAUSE, HASH_HEADER, AttachmentPart
from bridge.domain.statements import AttachmentRow
from bridge.errors import Malformed
from bridge.lrs.calls import LrsCall, read_all
from bridge.services.lrs.attachments import LrsAttachments


@dataclass(frozen=True, slots=True)
class StatementsBody:
    """The text of the statements of a request, and the data of attachments as it comes (None: there is none)."""

    text: bytes
    parts: AsyncIterator[AttachmentPart] | None = None


async def read_body(call: LrsCall, max_bytes: int) -> StatementsBody:
    """Read the text of a PUT or POST of statements, of at most ``max_bytes``."""
    if call.content_type == "application/json":
        return StatementsBody(await call.body(max_bytes))
    if call.content_type != "multipart/mixed":
        raise Malformed(f"Send application/json, or multipart/mixed with attachments ({ATTACHMENTS_CLAUSE}).")
    call.more_time()
    with _reading():
        reader = MultipartReader(CIMultiDict(call.headers), call.request.http.content)
    first = await _next_part(reader)
    if first is None or _header(first, "Content-Type").partition(";")[0].strip() != "application/json":
        raise Malformed(f"The first part must be the statements, as application/json ({ATTACHMENTS_CLAUSE}).")
    return StatementsBody(await read_all(_chunks(first), max_bytes), _attachments(reader))


@contextmanager
def _reading() -> Generator[None]:
    """Turn what aiohttp raises for a body that is no multipart into ``Malformed``."""
    try:
        yield
    except (ValueError, HttpProcessingError, AssertionError):
        raise Malformed(
            f"The body is not multipart/mixed with the boundary of its header ({ATTACHMENTS_CLAUSE})."
        ) from None


async def _next_part(reader: MultipartReader) -> BodyPartReader | None:
    with _reading():
        part = await reader.next()
    if isinstance(part, MultipartReader):
        raise Malformed(f"A part within a part is not taken ({ATTACHMENTS_CLAUSE}).")
    return part


async def _attachments(reader: MultipartReader) -> AsyncIterator[AttachmentPart]:
    while (part := await _next_part(reader)) is not None:
        if _header(part, "Content-Transfer-Encoding") != "binary":
            message = "Each attachment needs the header Content-Transfer-Encoding: binary"
            raise Malformed(f"{message} ({ATTACHMENTS_CLAUSE}).")
        yield AttachmentPart(_header(part, HASH_HEADER), _chunks(part))


def _header(part: BodyPartReader, name: str) -> str:
    return part.headers.get(name, "").strip().lower()


async def _chunks(part: BodyPartReader) -> AsyncIterator[bytes]:
    while chunk := await _next_chunk(part):
        yield chunk


async def _next_chunk(part: BodyPartReader) -> bytes:
    with _reading():
        return bytes(await part.read_chunk(65536))


async def answer_with_attachments(
    call: LrsCall,
    body: bytes,
    attached: Sequence[AttachmentRow],
    attachments: LrsAttachments,
    headers: Mapping[str, str],
) -> web.StreamResponse:
    """Answer statements with the attachments whose data is here, read from the store as they are sent."""
    call.more_time()
    boundary = uuid.uuid4().hex
    response = web.StreamResponse(headers=headers)
    response.headers["Content-Type"] = f"multipart/mixed; boundary={boundary}"
    await response.prepare(call.request.http)
    if call.head:
        return response
    await response.write(f"--{boundary}\r\nContent-Type: application/json\r\n\r\n".encode() + body)
    for attachment in {row["sha2"]: row for row in attached}.values():
        await response.write(_part_head(boundary, attachment))
        async for chunk in attachments.read(attachment["sha2"]):
            await response.write(chunk)
    await response.write(f"\r\n--{boundary}--\r\n".encode())
    await response.write_eof()
    return response


def _part_head(boundary: str, attachment: AttachmentRow) -> bytes:
    lines = (
        f"\r\n--{boundary}",
        f"Content-Type: {attachment['type']}",
        "Content-Transfer-Encoding: binary",
        f"{HASH_HEADER}: {attachment['sha2']}",
    )
    return ("\r\n".join(lines) + "\r\n\r\n").encode()
