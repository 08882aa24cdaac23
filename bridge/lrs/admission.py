"""Who calls, and in which version: what is checked before any resource looks at a request."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import Callable
from typing import Final

from aiohttp import web
from multidict import CIMultiDict

from bridge.domain.lrs.clauses import Version
from bridge.errors import Unauthenticated
from bridge.lrs.calls import (
    FIRST_PART,
    LATEST,
    UNVERSIONED,
    VERSION_HEADER,
    Call,
    Form,
    Sent,
    is_form,
    sent,
    version_of,
)
from bridge.services.lrs.credentials import Credential, Credentials

SPOKEN: Final = web.RequestKey("lrs_version", str)
"""The version that the answer names."""


STRANGERS: Final = 256
"""Forms of callers not yet known that are read at once, each up to its first part; others wait."""


class Admission:
    """Lets requests through; ``count`` counts a credential's call, and raises when it is one too many.

    ``largest_form`` is in bytes, of the alternate request syntax.
    """

    def __init__(self, credentials: Credentials, count: Callable[[str], None], largest_form: int) -> None:
        self._credentials = credentials
        self._count = count
        self._largest_form = largest_form
        self._strangers = asyncio.Semaphore(STRANGERS)

    async def admit(self, request: web.Request, more_time: Callable[[], None]) -> Call:
        """Return the call; raises ``Malformed``, ``TooLarge``, ``Unauthenticated`` or ``RateLimited``."""
        if is_form(request):
            form = Form(request)
            credential = await self._sender(form)
            given = await form.rest(self._largest_form)
            version = self._version(request, given)
        else:
            given = sent(request)
            version = self._version(request, given)
            credential = await self._credential(given.headers)
            self._count(credential.key)
        return Call(given, version, credential, more_time)

    async def _sender(self, form: Form) -> Credential:
        async with self._strangers:
            credential = await self._credential(await form.first_headers())
        self._count(credential.key)
        return credential

    def _version(self, request: web.Request, given: Sent) -> Version:
        version = version_of(given.headers.get(VERSION_HEADER))
        request[SPOKEN] = version
        return version

    async def _credential(self, headers: CIMultiDict[str]) -> Credential:
        scheme, _, token = headers.get("Authorization", "").partition(" ")
        if scheme.lower() != "basic":
            raise Unauthenticated(
                "Send a key and its secret as Authorization: Basic (RFC 7617)"
                f" - in a form within its first {FIRST_PART} bytes, before the content."
            )
        key, secret = _pair(token)
        return await self._credentials.verify(key, secret)


def _pair(token: str) -> tuple[str, str]:
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
