"""The xAPI request that a handler sees: version, parameters, headers and body, however they were sent."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass
from typing import Final
from urllib.parse import parse_qsl, unquote_to_bytes

from aiohttp import web
from multidict import CIMultiDict

from bridge.domain.lrs import Version, cite_communication
from bridge.errors import Malformed, TooLarge
from bridge.services.lrs.credentials import Credential

VERSION_HEADER: Final = "X-Experience-API-Version"
VERSIONS: Final[tuple[Version, ...]] = ("2.0.0", "1.0.3")
LATEST: Final = VERSIONS[0]
UNVERSIONED: Final = "0.95"
"""What a request without the header speaks: a version from before 1.0, which is refused (xAPI-Communication §3.3)."""

_VERSION_PATTERNS: Final[tuple[tuple[re.Pattern[str], Version], ...]] = (
    (re.compile(r"1\.0(\.[0-9]{1,4})?"), VERSIONS[1]),
    (re.compile(r"2\.0(\.[0-9]{1,4})?"), VERSIONS[0]),
)
_FORM: Final = "application/x-www-form-urlencoded"
_HEADER_FIELDS: Final = frozenset(
    {
        "authorization",
        VERSION_HEADER.lower(),
        "content-type",
        "content-length",
        "if-match",
        "if-none-match",
        "accept",
        "accept-language",
    }
)
"""Form fields that stand for headers in the alternate request syntax (xAPI-Communication §1.3)."""

MAX_FIELDS: Final = 50
"""Fields of a form: parameters and headers are some twenty."""

FIELD_BYTES: Final = 64 * 2**10
"""Bytes of a form's fields together, beside ``content``."""

FIRST_PART: Final = FIELD_BYTES + 1024
"""Bytes of a form within which the credential has to come: more is not taken from who is not known yet."""

_CHUNK: Final = 65536


def version_of(header: str | None) -> Version:
    """Return the version that a request speaks; raises ``Malformed``."""
    if header is None:
        raise Malformed(f"Send {VERSION_HEADER}: 1.0.3, or 2.0.0 (xAPI-Communication §3.3).")
    for pattern, version in _VERSION_PATTERNS:
        if pattern.fullmatch(header):
            return version
    raise Malformed(f"{VERSION_HEADER} must be 1.0.x or 2.0.x (xAPI-Communication §3.3).")


@dataclass(slots=True)
class XapiRequest:
    """The request as meant, the alternate request syntax undone; ``content`` is the form's field of that name, encoded.

    It is decoded when it is read.
    """

    http: web.Request
    method: str
    headers: CIMultiDict[str]
    params: dict[str, str]
    content: bytes | None = None


def is_form(request: web.Request) -> bool:
    """Say whether a request uses the alternate request syntax (xAPI-Communication §1.3)."""
    return request.method == "POST" and "method" in request.query


def method_of(request: web.Request) -> str:
    """Return the method that is meant."""
    return request.query["method"] if is_form(request) else request.method


def read_request(request: web.Request) -> XapiRequest:
    """Return a request that is no form; raises ``Malformed`` for a parameter given twice."""
    return XapiRequest(request, request.method, CIMultiDict(request.headers), _params(request))


def _params(request: web.Request) -> dict[str, str]:
    return _distinct(parse_qsl(request.rel_url.raw_query_string, keep_blank_values=True))


class AlternateForm:
    """The alternate request syntax: a POST whose form holds headers, parameters and content.

    It is read in two parts: whoever sends it is known by the first, of a bounded size, and only then the rest is read.
    """

    def __init__(self, request: web.Request) -> None:
        """Begin; raises ``Malformed`` for what is no such form."""
        params = _params(request)
        self._request = request
        self._method = params.pop("method")
        self._whole = bytearray()
        if params:
            raise Malformed("Beside method, every parameter goes into the form (xAPI-Communication §1.3).")
        if request.content_type != _FORM:
            raise Malformed(f"The parameter method needs a body of the type {_FORM} (xAPI-Communication §1.3).")

    async def first_headers(self) -> CIMultiDict[str]:
        """Read the first part; return the headers that stand in it, over those of the request."""
        await self._read(FIRST_PART)
        return self._headers(_fields(bytes(self._whole))[0])

    async def rest(self, limit: int) -> XapiRequest:
        """Read the rest; raises ``TooLarge`` or ``Malformed``."""
        if (self._request.content_length or 0) > limit:
            raise TooLarge(f"At most {limit} bytes are taken here.")
        await self._read(limit + 1)
        if len(self._whole) > limit:
            raise TooLarge(f"At most {limit} bytes are taken here.")
        fields, content = _fields(bytes(self._whole))
        self._whole.clear()
        headers = self._headers(fields)
        if version_of(headers.get(VERSION_HEADER)) != "1.0.3":
            raise Malformed("xAPI 2.0 has no alternate request syntax: send the request itself.")
        params = {name: value for name, value in fields.items() if name.lower() not in _HEADER_FIELDS}
        return XapiRequest(self._request, self._method, headers, params, content)

    async def _read(self, size: int) -> None:
        """Read until ``size`` bytes are there, or all."""
        while len(self._whole) < size and (piece := await self._request.content.read(_CHUNK)):
            self._whole += piece

    def _headers(self, fields: Mapping[str, str]) -> CIMultiDict[str]:
        header_fields = _distinct(
            [(name.lower(), value) for name, value in fields.items() if name.lower() in _HEADER_FIELDS]
        )
        headers = CIMultiDict(self._request.headers)
        headers.update(
            {"Content-Type": "application/json", **{name.title(): value for name, value in header_fields.items()}}
        )
        return headers


def _fields(form: bytes) -> tuple[dict[str, str], bytes]:
    """Return a form's fields and, apart and still encoded, its ``content``; raises ``Malformed`` or ``TooLarge``."""
    pairs = [part.partition(b"=") for part in form.split(b"&", MAX_FIELDS)]
    contents = [value for name, _, value in pairs if name == b"content"]
    rest = b"&".join(b"".join(pair) for pair in pairs if pair[0] != b"content")
    if len(pairs) > MAX_FIELDS or len(contents) > 1:
        raise Malformed(f"A form has at most {MAX_FIELDS} fields, and one of them is content.")
    if len(rest) > FIELD_BYTES:
        raise TooLarge(f"At most {FIELD_BYTES} bytes are taken in a form beside its content.")
    try:
        fields = _distinct(parse_qsl(rest.decode(), keep_blank_values=True, errors="strict"))
    except UnicodeDecodeError:
        raise Malformed("The form is not UTF-8 (xAPI-Communication §1.4).") from None
    return fields, b"".join(contents)


def _distinct(pairs: list[tuple[str, str]]) -> dict[str, str]:
    params = dict(pairs)
    if len(params) < len(pairs):
        raise Malformed("Give each parameter once.")
    return params


async def read_all(chunks: AsyncIterator[bytes], limit: int) -> bytes:
    """Read a body of at most ``limit`` bytes; raises ``TooLarge``."""
    whole = bytearray()
    async for chunk in chunks:
        whole += chunk
        if len(whole) > limit:
            raise TooLarge(f"At most {limit} bytes are taken here.")
    return bytes(whole)


@dataclass(slots=True)
class LrsCall:
    """A request to one resource, admitted."""

    request: XapiRequest
    version: Version
    credential: Credential
    more_time: Callable[[], None] = lambda: None
    """Gives the call the time that files need, from now on."""

    @property
    def params(self) -> Mapping[str, str]:
        """The parameters, each given once."""
        return self.request.params

    @property
    def headers(self) -> CIMultiDict[str]:
        """The headers, as sent or from the form."""
        return self.request.headers

    @property
    def head(self) -> bool:
        """Whether the answer goes without its body."""
        return self.request.http.method == "HEAD" or self.request.method == "HEAD"

    @property
    def content_type(self) -> str:
        """The media type of the body, without parameters, in lower case."""
        return self.headers.get("Content-Type", "").partition(";")[0].strip().lower()

    def chunks(self) -> AsyncIterator[bytes]:
        """Return the body as it comes."""
        if self.request.content is not None:
            return _decode(self.request.content)
        return self.request.http.content.iter_chunked(_CHUNK)

    async def body(self, limit: int) -> bytes:
        """Read the body; raises ``TooLarge``."""
        return await read_all(self.chunks(), limit)

    def clause(self, old: str, new: str) -> str:
        """Return a clause of xAPI-Communication 1.0.3, or its place in IEEE 9274.1.1, by the version spoken."""
        return cite_communication(old, new, self.version)


async def _decode(content: bytes) -> AsyncIterator[bytes]:
    """Yield the value of a form's field decoded, piece by piece and others' work in between."""
    start = 0
    while start < len(content):
        end = start + _CHUNK
        if end < len(content) and b"%" in content[end - 2 : end]:
            end = content.rindex(b"%", end - 2, end)  # an escape stays whole
        yield unquote_to_bytes(content[start:end].replace(b"+", b" "))
        await asyncio.sleep(0)
        start = end
