"""Files in and out over HTTP, streamed: ``multipart/form-data`` (RFC 7578) and attachments (RFC 6266)."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterable, Mapping
from contextlib import AbstractAsyncContextManager, aclosing, suppress
from dataclasses import dataclass
from typing import Final
from urllib.parse import quote

from aiohttp import BodyPartReader, ClientConnectionError, web
from aiohttp.http_exceptions import HttpProcessingError
from aiohttp.multipart import MultipartReader

from bridge.api.http.context import SETTINGS, Call
from bridge.deadlines import deadline
from bridge.errors import FieldError, Malformed, TooLarge, Unavailable, UnsupportedMediaType, ValidationFailed
from bridge.texts import Text

FORM: Final = "multipart/form-data"
PART: Final = "file"
PIECE: Final = 64 * 1024
"""Bytes read at once."""

STALLED: Final = 60.0
"""Seconds that a client may take for one piece of a file."""

PRIVATE: Final = {"Cache-Control": "private, no-store"}

ENVELOPE: Final = 16 * 1024
"""Bytes that the form around a file may take: boundaries, and the headers of its part."""

_AS_IT_IS: Final = {"7bit", "8bit", "binary"}
# What aiohttp raises for a form that is not one: its own errors, Python's for what it did not expect, and the system's
# when the client goes away in the middle.
_BROKEN_ERRORS = (ValueError, AssertionError, RuntimeError, EOFError, OSError, HttpProcessingError)
_GONE_ERRORS = (ConnectionError, ClientConnectionError)


@dataclass(frozen=True, slots=True)
class FilePart:
    """The one file of a form: its name as sent, and its content in pieces, which has to be read to the end."""

    name: str
    content: AsyncIterable[bytes]


def in_time(call: Call) -> AbstractAsyncContextManager[object]:
    """Raise ``Unavailable`` when a transfer takes longer than ``transfer_timeout``."""
    limit = call.request.app[SETTINGS].transfer_timeout
    return deadline(limit, Text("This transfer took longer than {seconds} s; try again on a faster line."))


async def pieces(call: Call) -> AsyncGenerator[bytes]:
    """Give the body as it is, in pieces; raises ``Malformed`` when the client goes away in the middle."""
    try:
        async for data in call.request.content.iter_chunked(PIECE):
            yield data
    except OSError:
        raise Malformed(Text("The body broke off.")) from None


async def file_part(call: Call, max_bytes: int) -> FilePart:
    """Return the part ``file`` of the form in the body, not yet read.

    Raises ``UnsupportedMediaType``, ``TooLarge`` (by the announced length), ``Malformed``, or ``ValidationFailed``
    when there is another part, or none.
    """
    if call.request.content_type != FORM:
        raise UnsupportedMediaType(
            Text("Send the file as Content-Type: {form}, in a part named {part}.", form=FORM, part=PART)
        )
    if (call.request.content_length or 0) > max_bytes + ENVELOPE:
        raise TooLarge(Text("The body may have up to {n} bytes; send a smaller file.", n=max_bytes + ENVELOPE))
    with_name = await _next_part(reader := await _form(call), needed=True)
    assert with_name is not None
    name, part = with_name
    return FilePart(name, _content(reader, part))


async def _form(call: Call) -> MultipartReader:
    try:
        return await call.request.multipart()
    except _BROKEN_ERRORS:
        raise Malformed(Text("The form has no boundary, or not one as in RFC 2046 §5.1.1.")) from None


async def _content(reader: MultipartReader, part: BodyPartReader) -> AsyncGenerator[bytes]:
    while data := await _piece(part):
        yield data
    await _next_part(reader, needed=False)


async def _piece(part: BodyPartReader) -> bytes:
    try:
        return bytes(await part.read_chunk(PIECE))
    except _BROKEN_ERRORS:
        raise _broken() from None


async def _next_part(reader: MultipartReader, *, needed: bool) -> tuple[str, BodyPartReader] | None:
    """Return the next part, which has to be the file when one is needed, and to be missing when not."""
    try:
        part = await reader.next()
        name, file_name = (part.name, part.filename) if isinstance(part, BodyPartReader) else (None, None)
    except _BROKEN_ERRORS:
        raise _broken() from None
    if part is None and not needed:
        return None
    if not needed or not isinstance(part, BodyPartReader) or name != PART or not file_name:
        message = Text("Send exactly one part, named {part}, with a file name.", part=PART)
        raise ValidationFailed(message, field_errors=[FieldError(f"/{PART}", Text("File"), message)])
    if part.headers.get("Content-Transfer-Encoding", "binary").lower() not in _AS_IT_IS:
        raise UnsupportedMediaType(Text("Send the file as it is, without a Content-Transfer-Encoding (RFC 7578 §4.7)."))
    return file_name, part


def _broken() -> Malformed:
    return Malformed(Text("The form broke off, or is not put together as in RFC 7578."))


def attachment(name: str) -> str:
    """Return the ``Content-Disposition`` of a download: the name for everybody, and for those that read ASCII only.

    The second form is RFC 8187's; the first has no character that a client could take for an escape or an end.
    """
    plain = "".join(c if c.isascii() and c.isprintable() and c not in '"\\%' else "_" for c in name)
    return f"attachment; filename=\"{plain}\"; filename*=UTF-8''{quote(name, safe='!#$&+^`|')}"


async def send(call: Call, content: AsyncGenerator[bytes], headers: Mapping[str, str]) -> web.StreamResponse:
    """Stream an attachment, private and never stored on the way; what fails before its first piece is a problem."""
    response = web.StreamResponse(headers={**PRIVATE, **headers})
    async with aclosing(content) as pieces:
        first = await anext(pieces, b"")
        await response.prepare(call.request)
        with suppress(*_GONE_ERRORS):  # the client has gone, and nobody is left to tell
            if call.request.method != "HEAD":
                await _write(response, first)
                async for piece in pieces:
                    await _write(response, piece)
            await response.write_eof()
    return response


async def _write(response: web.StreamResponse, piece: bytes) -> None:
    try:
        async with asyncio.timeout(STALLED):
            await response.write(piece)
    except TimeoutError:
        raise Unavailable(Text("The client stopped reading.")) from None
