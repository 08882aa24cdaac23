"""Another LRS, read page by page over HTTP.

Not by ``tincan.RemoteLRS``, which has no time limit, refuses an LRS whose ``about`` names 2.0, spoils ``more`` links
that have a query, and turns statements into objects, which loses the precision of numbers and durations.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from typing import Any, cast
from urllib.parse import urlsplit

import aiohttp
import orjson
import stamina
from yarl import URL

from bridge.domain.statements import BadBody, Result, statement_result
from bridge.errors import BridgeError, Conflict, Forbidden, Malformed, NotFound, TooLarge, Unavailable

VERSIONS: Mapping[str, str] = {"2.0": "2.0.0", "1.0.3": "1.0.3"}
"""Version as a person names it → the ``X-Experience-API-Version`` header."""

PAGE = 200  # statements asked for at once
LARGEST_PAGE = 64 * 2**20  # bytes of one answer that are read

ATTEMPTS, FIRST_PAUSE, LONGEST_PAUSE = 6, 0.2, 10.0
"""Tries of one call that fails for a while, and the seconds between them, growing."""

CONSISTENT_THROUGH = "X-Experience-API-Consistent-Through"


class RemoteLrs:
    """One LRS: ``endpoint`` is its base address, ``version`` is of ``VERSIONS``."""

    def __init__(self, http: aiohttp.ClientSession, endpoint: str) -> None:
        self._http = http
        self._endpoint = endpoint.rstrip("/") + "/"
        self.version = "1.0.3"

    async def negotiate(self) -> None:
        """Take the newest version that both sides speak, by the LRS's ``about``; raises ``Conflict`` for none."""
        body, _ = await self._get(URL(self._endpoint + "about"))
        try:
            about = orjson.loads(body)
        except orjson.JSONDecodeError:
            raise Malformed("The LRS's about is not JSON; name the version with --version.") from None
        versions = cast("dict[str, Any]", about).get("version") if isinstance(about, dict) else None
        offered_versions = [str(text) for text in cast("list[Any]", versions)] if isinstance(versions, list) else []
        for version in VERSIONS:
            if any(text.startswith(version[:3]) for text in offered_versions):
                self.version = version
                return
        raise Conflict("The LRS speaks neither xAPI 2.0 nor 1.0; if you know better, name the version with --version.")

    def first(self, verb: str, since: str | None) -> str:
        """Return the address of the first page of statements with this verb, the oldest first."""
        query = {"verb": verb, "ascending": "true", "limit": str(PAGE), **({"since": since} if since else {})}
        return str(URL(self._endpoint + "statements").with_query(query))

    async def page(self, address: str) -> Result:
        """Read a page by its address or ``more`` link; raises ``NotFound`` for a link that no longer holds."""
        body, headers = await self._get(self._resolved(address))
        try:
            return statement_result(body, headers.get(CONSISTENT_THROUGH))
        except BadBody as error:
            raise Malformed(f"The LRS's answer cannot be read: {error}.") from None

    def _resolved(self, address: str) -> URL:
        """Return the address; raises ``Conflict`` when it leads to another host, which must not get the password."""
        url = URL(self._endpoint).join(URL(address, encoded=True))
        if url.origin() != URL(self._endpoint).origin():
            raise Conflict("The LRS's more link leads to another server; it is not followed.")
        return url

    async def _get(self, url: URL) -> tuple[bytes, Mapping[str, str]]:
        tries = stamina.retry_context(
            on=Unavailable, attempts=ATTEMPTS, timeout=None, wait_initial=FIRST_PAUSE, wait_max=LONGEST_PAUSE
        )
        async for attempt in tries:
            with attempt:
                return await self._once(url)
        raise AssertionError("unreachable: the last attempt raises")

    async def _once(self, url: URL) -> tuple[bytes, Mapping[str, str]]:
        headers = {"X-Experience-API-Version": VERSIONS[self.version], "Accept": "application/json"}
        try:
            async with self._http.get(url, headers=headers, allow_redirects=False) as answer:
                _check(answer.status)
                return await _read_body(answer), answer.headers
        except (aiohttp.ClientError, TimeoutError) as error:
            raise Unavailable("The LRS does not answer, or not in time.") from error


@asynccontextmanager
async def remote_lrs(endpoint: str, user: str, password: str, seconds: float) -> AsyncGenerator[RemoteLrs]:
    """Open connections to an LRS with Basic credentials; each call may take so many seconds."""
    if urlsplit(endpoint).scheme not in {"http", "https"}:
        raise Malformed("The endpoint must be an address that begins with https:// or http://.")
    if ":" in user:
        raise Malformed("The user of Basic credentials has no colon (RFC 7617 §2).")
    headers = {"Authorization": aiohttp.encode_basic_auth(user, password, "utf-8")}
    limit = aiohttp.ClientTimeout(total=seconds)
    async with aiohttp.ClientSession(headers=headers, timeout=limit) as http:
        yield RemoteLrs(http, endpoint)


def _check(status: int) -> None:
    """Raise what a status of failure means: ``Unavailable`` when the same call may go through later."""
    if status == 200:
        return
    if status in {429, 500, 502, 503, 504}:
        raise Unavailable(f"The LRS cannot answer just now ({status}).")
    if status in {401, 403}:
        raise Forbidden(f"The LRS does not take the user and password ({status}).")
    if status in {400, 404, 410}:
        raise NotFound(f"The LRS does not know this address ({status}); check the endpoint.")
    raise BridgeError(f"The LRS answered with status {status}, which is not expected.")


async def _read_body(answer: aiohttp.ClientResponse) -> bytes:
    parts: list[bytes] = []
    size = 0
    async for part in answer.content.iter_chunked(2**16):
        size += len(part)
        if size > LARGEST_PAGE:
            raise TooLarge(f"The LRS's answer is larger than {LARGEST_PAGE} bytes.")
        parts.append(part)
    return b"".join(parts)
