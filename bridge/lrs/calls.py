"""One xAPI request as a handler sees it: the version spoken, parameters, headers and body, however they were sent."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from typing import Final
from urllib.parse import parse_qsl, unquote_to_bytes

from aiohttp import web
from multidict import CIMultiDict

from bridge.domain.lrs.clauses import Version, communication
from bridge.errors import Malformed, MethodNotAllowed, TooLarge
from bridge.services.lrs.credentials import Credential

VERSION_HEADER: Final = "X-Experience-API-Version"
VERSIONS: Final[tuple[Version, ...]] = ("2.0.0", "1.0.3")
LATEST: Final = VERSIONS[0]
UNVERSIONED: Final = "0.95"
"""What a request without the header speaks: a version from before 1.0, which is refused (xAPI-Communication §3.3)."""

_SPOKEN: Final[tuple[tuple[re.Pattern[str], Version], ...]] = (
    (re.compile(r"1\.0(\.[0-9]{1,4})?"), VERSIONS[1]),
    (re.compile(r"2\.0(\.[0-9]{1,4})?"), VERSIONS[0]),
)
_FORM: Final = "application/x-www-form-urlencoded"
_MOVED: Final = (
    "Authorization",
    VERSION_HEADER,
    "Content-Type",
    "Content-Length",
    "If-Match",
    "If-None-Match",
    "Accept",
    "Accept-Language",
)
"""Form fields that stand for headers in the alternate request syntax (xAPI-Communication §1.3)."""

MOST_FIELDS: Final = 50
"""Fields of a form: parameters and headers are some twenty."""

FIELD_BYTES: Final = 64 * 2**10
"""Bytes of a form's fields together, beside ``content``."""

_PIECE: Final = 65536


def version_of(spoken: str | None) -> Version:
    """Return the version that a request speaks; raises ``Malformed``."""
    if spoken is None:
        raise Malformed(f"Send {VERSION_HEADER}: 1.0.3, or 2.0.0 (xAPI-Communication §3.3).")
    for pattern, version in _SPOKEN:
        if pattern.fullmatch(spoken):
            return version
    raise Malformed(f"{VERSION_HEADER} must be 1.0.x or 2.0.x (xAPI-Communication §3.3).")


@dataclass(slots=True)
class Sent:
    """What was sent, with the alternate request syntax undone; ``content`` is the form's field of that name, encoded.

    It is decoded when it is read: a form may hold the credential, so a stranger's is taken apart too.
    """

    request: web.Request
    method: str
    headers: CIMultiDict[str]
    params: dict[str, str]
    content: bytes | None = None


async def sent(request: web.Request, limit: int) -> Sent:
    """Read the request; raises ``Malformed`` for a parameter given twice."""
    params = _distinct(parse_qsl(request.rel_url.raw_query_string, keep_blank_values=True))
    headers = CIMultiDict(request.headers)
    if request.method == "POST" and "method" in params:
        return await _unfolded(request, params, headers, limit)
    return Sent(request, request.method, headers, params)


async def _unfolded(request: web.Request, params: dict[str, str], headers: CIMultiDict[str], limit: int) -> Sent:
    """Undo the alternate request syntax: a POST whose form holds headers, parameters and content."""
    method = params.pop("method")
    if method not in ("GET", "HEAD", "PUT", "POST", "DELETE"):
        raise MethodNotAllowed("The parameter method must be GET, HEAD, PUT, POST or DELETE.")
    if params:
        raise Malformed("Beside method, every parameter goes into the form (xAPI-Communication §1.3).")
    if request.content_type != _FORM:
        raise Malformed(f"The parameter method needs a body of the type {_FORM} (xAPI-Communication §1.3).")
    fields, content = _fields(await read_all(request.content.iter_chunked(_PIECE), limit))
    headers["Content-Type"] = "application/json"
    for name in _MOVED:
        given = next((field for field in fields if field.lower() == name.lower()), None)
        if given is not None:
            headers[name] = fields.pop(given)
    if version_of(headers.get(VERSION_HEADER)) != "1.0.3":
        raise Malformed("xAPI 2.0 has no alternate request syntax: send the request itself.")
    return Sent(request, method, headers, fields, content)


def _fields(form: bytes) -> tuple[dict[str, str], bytes]:
    """Return a form's fields and, apart and still encoded, its ``content``; raises ``Malformed`` or ``TooLarge``."""
    pairs = [part.partition(b"=") for part in form.split(b"&", MOST_FIELDS)]
    contents = [value for name, _, value in pairs if name == b"content"]
    others = b"&".join(b"".join(pair) for pair in pairs if pair[0] != b"content")
    if len(pairs) > MOST_FIELDS or len(contents) > 1:
        raise Malformed(f"A form has at most {MOST_FIELDS} fields, and one of them is content.")
    if len(others) > FIELD_BYTES:
        raise TooLarge(f"At most {FIELD_BYTES} bytes are taken in a form beside its content.")
    try:
        fields = _distinct(parse_qsl(others.decode(), keep_blank_values=True, errors="strict"))
    except UnicodeDecodeError:
        raise Malformed("The form is not UTF-8 (xAPI-Communication §1.4).") from None
    return fields, b"".join(contents)


def _distinct(pairs: list[tuple[str, str]]) -> dict[str, str]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise Malformed("Give each parameter once.")
    return found


async def read_all(chunks: AsyncIterator[bytes], limit: int) -> bytes:
    """Read a body of at most ``limit`` bytes; raises ``TooLarge``."""
    whole = bytearray()
    async for chunk in chunks:
        whole += chunk
        if len(whole) > limit:
            raise TooLarge(f"At most {limit} bytes are taken here.")
    return bytes(whole)


@dataclass(slots=True)
class Call:
    """A request to one resource, admitted."""

    sent: Sent
    version: Version
    credential: Credential

    @property
    def params(self) -> Mapping[str, str]:
        """The parameters, each given once."""
        return self.sent.params

    @property
    def headers(self) -> CIMultiDict[str]:
        """The headers, as sent or from the form."""
        return self.sent.headers

    @property
    def head(self) -> bool:
        """Whether the answer goes without its body."""
        return self.sent.request.method == "HEAD" or self.sent.method == "HEAD"

    @property
    def content_type(self) -> str:
        """The media type of the body, without parameters, in lower case."""
        return self.headers.get("Content-Type", "").partition(";")[0].strip().lower()

    def chunks(self) -> AsyncIterator[bytes]:
        """Return the body as it comes."""
        if self.sent.content is not None:
            return _unquoted(self.sent.content)
        return self.sent.request.content.iter_chunked(_PIECE)

    async def body(self, limit: int) -> bytes:
        """Read the body; raises ``TooLarge``."""
        return await read_all(self.chunks(), limit)

    def clause(self, old: str, new: str) -> str:
        """Return a clause of xAPI-Communication 1.0.3, or its place in IEEE 9274.1.1, by the version spoken."""
        return communication(old, new, self.version)


async def _unquoted(content: bytes) -> AsyncIterator[bytes]:
    """Yield the value of a form's field decoded, piece by piece and others' work in between."""
    start = 0
    while start < len(content):
        end = start + _PIECE
        if end < len(content) and b"%" in content[end - 2 : end]:
            end = content.rindex(b"%", end - 2, end)  # an escape stays whole
        yield unquote_to_bytes(content[start:end].replace(b"+", b" "))
        await asyncio.sleep(0)
        start = end
