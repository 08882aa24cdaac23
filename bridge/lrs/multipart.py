"""Statements with attachments: ``multipart/mixed`` in and out, streamed (xAPI-Communication §1.5.2)."""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from aiohttp import BodyPartReader, MultipartReader, web
from aiohttp.http_exceptions import HttpProcessingError
from multidict import CIMultiDict

from bridge.domain.lrs import signatures
from bridge.domain.lrs.parsing import Incoming, refusal, signed_by
from bridge.domain.lrs.spec_refs import of_pointer
from bridge.errors import Malformed, TooLarge, Unavailable
from bridge.lrs.calls import Call, read_all
from bridge.store.lrs.attachments import Attachments
from bridge.store.lrs.rows import Attached

HASH_HEADER = "X-Experience-API-Hash"
_ALGORITHMS = {56: "sha224", 64: "sha256", 96: "sha384", 128: "sha512"}
_CLAUSE = "xAPI-Communication §1.5.2"

Parse = Callable[[bytes], list[Incoming]]


@dataclass(frozen=True, slots=True)
class Limits:
    """Bytes that are taken: of all statements of a request together, of one statement, of one attachment."""

    statements: int
    statement: int
    attachment: int


@dataclass(slots=True)
class Received:
    """The statements of a request, and the hashes of the attachments whose data came along."""

    incoming: list[Incoming]
    attached: set[str] = field(default_factory=set[str])


async def receive(call: Call, parse: Parse, store: Attachments, limits: Limits) -> Received:
    """Read the statements of a PUT or POST; the attachments are stored when this returns."""
    if call.content_type == "application/json":
        received = Received(parse(await call.body(limits.statements)))
    elif call.content_type == "multipart/mixed":
        received = await _receive_parts(call, parse, store, limits)
    else:
        raise Malformed(f"Send application/json, or multipart/mixed with attachments ({_CLAUSE}).")
    _check_complete(received, call)
    return received


async def check_kept(received: Received, store: Attachments) -> None:
    """Look again, now that the statements are stored: nobody may have removed the attachments meanwhile.

    That is done when an erasure takes the last statement that had the same data.
    """
    for sha2 in received.attached:
        if not await store.has(sha2):
            raise Unavailable("The data of an attachment was removed while it came; send the same request once more.")


def _check_complete(received: Received, call: Call) -> None:
    """Each attachment has a fileUrl or its data is here (xAPI-Data §2.4.11); a signature's always is."""
    signed = signed_by(received.incoming, call.version)
    for one in received.incoming:
        for attachment in one.attachments():
            sha2 = attachment["sha2"].lower()
            if sha2 not in received.attached and ("fileUrl" not in attachment or sha2 in signed):
                clause = of_pointer("/attachments", call.version)
                raise refusal("/attachments", "a part of the request with the data of each attachment", clause)


async def _receive_parts(call: Call, parse: Parse, store: Attachments, limits: Limits) -> Received:
    call.more_time()
    try:
        reader = MultipartReader(CIMultiDict(call.headers), call.sent.request.content)
        first = _part(await reader.next())
        if first is None or _content_type(first) != "application/json":
            raise Malformed(f"The first part must be the statements, as application/json ({_CLAUSE}).")
        received = Received(parse(await read_all(_chunks(first), limits.statements)))
        wanted = {part["sha2"].lower(): part for one in received.incoming for part in one.attachments()}
        signed = signed_by(received.incoming, call.version)
        while (part := _part(await reader.next())) is not None:
            sha2 = _hash_of(part, wanted)
            data = _verified(part, sha2, limits.attachment)
            await _keep(sha2, data, signed.get(sha2, ()), store)
            received.attached.add(sha2)
    except (ValueError, HttpProcessingError, AssertionError):
        raise Malformed(f"The body is not multipart/mixed with the boundary of its header ({_CLAUSE}).") from None
    return received


def _part(found: MultipartReader | BodyPartReader | None) -> BodyPartReader | None:
    if isinstance(found, MultipartReader):
        raise Malformed(f"A part within a part is not taken ({_CLAUSE}).")
    return found


def _content_type(part: BodyPartReader) -> str:
    return part.headers.get("Content-Type", "").partition(";")[0].strip().lower()


def _hash_of(part: BodyPartReader, wanted: Mapping[str, Any]) -> str:
    if part.headers.get("Content-Transfer-Encoding", "").strip().lower() != "binary":
        raise Malformed(f"Each attachment needs the header Content-Transfer-Encoding: binary ({_CLAUSE}).")
    sha2 = part.headers.get(HASH_HEADER, "").strip().lower()
    if sha2 not in wanted:
        raise Malformed(f"Each attachment needs {HASH_HEADER} with the sha2 of an attachment object ({_CLAUSE}).")
    return sha2


async def _chunks(part: BodyPartReader) -> AsyncIterator[bytes]:
    while chunk := await part.read_chunk(65536):
        yield bytes(chunk)


async def _verified(part: BodyPartReader, sha2: str, limit: int) -> AsyncIterator[bytes]:
    """Yield an attachment's data; raises at its end unless it has its hash.

    The ``length`` that the statement tells is not held against it: the hash says more (docs/decisions/0009).
    """
    digest, length = hashlib.new(_ALGORITHMS[len(sha2)]), 0
    async for chunk in _chunks(part):
        digest.update(chunk)
        length += len(chunk)
        if length > limit:
            raise TooLarge(f"An attachment of at most {limit} bytes is taken here.")
        yield chunk
    if digest.hexdigest() != sha2:
        raise Malformed(f"The data of an attachment does not have the hash that its header names ({_CLAUSE}).")


async def _keep(sha2: str, data: AsyncIterator[bytes], signs: Sequence[Incoming], store: Attachments) -> None:
    if signs:
        signature = await read_all(data, signatures.LARGEST)
        for one in signs:
            _check_signature(signature, one)
        data = _once(signature)
    await store.put(sha2, data)


def _check_signature(signature: bytes, one: Incoming) -> None:
    try:
        signatures.check(signature, one.statement)
    except signatures.BadSignature as error:
        raise refusal("/attachments", str(error), "xAPI-Data §2.6") from None


async def _once(data: bytes) -> AsyncIterator[bytes]:
    yield data


async def answer(
    call: Call, body: bytes, attached: Sequence[Attached], store: Attachments, headers: Mapping[str, str]
) -> web.StreamResponse:
    """Answer statements with the attachments whose data is here, read from the store as they are sent."""
    call.more_time()
    boundary = uuid.uuid4().hex
    response = web.StreamResponse(headers=headers)
    response.headers["Content-Type"] = f"multipart/mixed; boundary={boundary}"
    await response.prepare(call.sent.request)
    if call.head:
        return response
    await response.write(f"--{boundary}\r\nContent-Type: application/json\r\n\r\n".encode() + body)
    for one in {one.sha2: one for one in attached}.values():
        await response.write(_head(boundary, one))
        async for chunk in store.read(one.sha2):
            await response.write(chunk)
    await response.write(f"\r\n--{boundary}--\r\n".encode())
    await response.write_eof()
    return response


def _head(boundary: str, one: Attached) -> bytes:
    lines = (
        f"\r\n--{boundary}",
        f"Content-Type: {one.content_type}",
        "Content-Transfer-Encoding: binary",
        f"{HASH_HEADER}: {one.sha2}",
    )
    return ("\r\n".join(lines) + "\r\n\r\n").encode()
