"""Admission of a request: its credential, version and size, checked before any resource looks at it."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from typing import Final

from aiohttp import web
from multidict import CIMultiDict

from bridge.domain.lrs import Version
from bridge.errors import Unauthenticated
from bridge.lrs.calls import (
    FIRST_PART,
    LATEST,
    UNVERSIONED,
    VERSION_HEADER,
    AlternateForm,
    LrsCall,
    is_form,
    read_request,
    version_of,
)
from bridge.services.lrs.credentials import Credential, Credentials

ANSWERED_VERSION: Final = web.RequestKey("lrs_version", str)
"""The version that the answer names."""


UNKNOWN_FORMS: Final = 256
"""Forms of callers not yet known that are read at once, each up to its first part; others wait."""


MAX_BODIES: Final = 4
"""Bodies of the largest size that are in hand at once; others wait, and are not read meanwhile."""


class ByteBudget:
    """Bytes that may be held at once."""

    def __init__(self, size: int) -> None:
        self._size = self._free = size
        self._room_freed = asyncio.Condition()

    @asynccontextmanager
    async def reserve(self, size: int) -> AsyncGenerator[None]:
        """Hold so many bytes, once they are free."""
        size = min(size, self._size)
        async with self._room_freed:
            await self._room_freed.wait_for(lambda: self._free >= size)
            self._free -= size
        try:
            yield
        finally:
            self._free += size
            async with self._room_freed:
                self._room_freed.notify_all()


class Admission:
    """Admits requests; ``count`` counts a credential's call, and raises when it is one too many.

    ``largest_form`` is in bytes, of the alternate request syntax.
    """

    def __init__(self, credentials: Credentials, count: Callable[[str], None], largest_form: int) -> None:
        self._credentials = credentials
        self._count = count
        self._largest_form = largest_form
        self._unknown_forms = asyncio.Semaphore(UNKNOWN_FORMS)
        self._budget = ByteBudget(MAX_BODIES * largest_form)

    @asynccontextmanager
    async def admit(self, request: web.Request, more_time: Callable[[], None]) -> AsyncGenerator[LrsCall]:
        """Give the call, with room for its body.

        Raises ``Malformed``, ``TooLarge``, ``Unauthenticated`` or ``RateLimited``.
        """
        length = request.content_length if request.content_length is not None else self._largest_form
        size = min(length, self._largest_form) if request.body_exists else 0
        if is_form(request):
            form = AlternateForm(request)
            credential = await self._admit_sender(form)
            async with self._budget.reserve(size):
                inner_request = await form.rest(self._largest_form)
                yield LrsCall(inner_request, self._version(request, inner_request.headers), credential, more_time)
        else:
            plain = read_request(request)
            version = self._version(request, plain.headers)
            credential = await self._credential(plain.headers)
            self._count(credential.key)
            async with self._budget.reserve(size):
                yield LrsCall(plain, version, credential, more_time)

    async def _admit_sender(self, form: AlternateForm) -> Credential:
        async with self._unknown_forms:
            credential = await self._credential(await form.first_headers())
        self._count(credential.key)
        return credential

    def _version(self, request: web.Request, headers: CIMultiDict[str]) -> Version:
        version = version_of(headers.get(VERSION_HEADER))
        request[ANSWERED_VERSION] = version
        return version

    async def _credential(self, headers: CIMultiDict[str]) -> Credential:
        scheme, _, token = headers.get("Authorization", "").partition(" ")
        if scheme.lower() != "basic":
            raise Unauthenticated(
                "Send a key and its secret as Authorization: Basic (RFC 7617)"
                f" - in a form within its first {FIRST_PART} bytes, before the content."
            )
        key, secret = _key_and_secret(token)
        return await self._credentials.verify(key, secret)


def _key_and_secret(token: str) -> tuple[str, str]:
    try:
        key, colon, secret = base64.b64decode(token.strip(), validate=True).decode().partition(":")
    except ValueError:  # no Base64, no ASCII, no UTF-8
        key = colon = secret = ""  # nosec B105 - no password
    if not colon:
        raise Unauthenticated("Authorization: Basic must hold key:secret in Base64 (RFC 7617).")
    return key, secret


def answered_version(request: web.Request) -> str:
    """Return the version to name in the answer to a request that was not admitted, or not yet."""
    return LATEST if VERSION_HEADER in request.headers else UNVERSIONED
