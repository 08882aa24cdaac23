"""Who calls, and in which version: what is checked before any resource looks at a request."""

from __future__ import annotations

import base64
from collections.abc import Callable
from typing import Final

from aiohttp import web

from bridge.errors import Unauthenticated
from bridge.lrs.calls import LATEST, UNVERSIONED, VERSION_HEADER, Call, Sent, sent, version_of
from bridge.services.lrs.credentials import Credential, Credentials

SPOKEN: Final = web.RequestKey("lrs_version", str)
"""The version that the answer names."""


class Admission:
    """Lets requests through; ``count`` counts a credential's call, and raises when it is one too many.

    ``largest_form`` is in bytes, of the alternate request syntax.
    """

    def __init__(self, credentials: Credentials, count: Callable[[str], None], largest_form: int) -> None:
        self._credentials = credentials
        self._count = count
        self._largest_form = largest_form

    async def admit(self, request: web.Request) -> Call:
        """Return the call; raises ``Malformed``, ``Unauthenticated`` or ``RateLimited``."""
        given = await sent(request, self._largest_form)
        version = version_of(given.headers.get(VERSION_HEADER))
        request[SPOKEN] = version
        credential = await self._credential(given)
        self._count(credential.key)
        return Call(given, version, credential)

    async def _credential(self, given: Sent) -> Credential:
        scheme, _, token = given.headers.get("Authorization", "").partition(" ")
        if scheme.lower() != "basic":
            raise Unauthenticated("Send a key and its secret as Authorization: Basic (RFC 7617).")
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
