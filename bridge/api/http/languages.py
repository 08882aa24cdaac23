"""The language of an answer: the member's own, else what ``Accept-Language`` prefers, else the service's first."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Final

from aiohttp import web
from pydantic import BeforeValidator, ValidationInfo

from bridge.api.http.context import CALLER, SETTINGS
from bridge.api.http.service_keys import MEMBERS
from bridge.errors import BridgeError
from bridge.texts import Text, accepted, match

_LANGUAGE: Final = web.RequestKey("language", str)


async def language_of(request: web.Request) -> str:
    """Return the language that the caller reads."""
    if _LANGUAGE not in request:
        request[_LANGUAGE] = match([*await _own_language(request), *asked_languages(request)])
    return request[_LANGUAGE]


def asked_languages(request: web.Request) -> tuple[str, ...]:
    """Return the tags that a request without a known caller goes by, best first."""
    settings = request.app.get(SETTINGS)
    return (*accepted(request.headers.get("Accept-Language", "")), *(settings.languages if settings else ()))


def language_headers(language: str) -> dict[str, str]:
    """Return the headers of an answer in a language (RFC 9110 §8.5, §12.5.5)."""
    return {"Content-Language": language, "Vary": "Accept-Language"}


async def _own_language(request: web.Request) -> list[str]:
    caller = request.get(CALLER)
    if caller is None or "member" not in caller.roles or MEMBERS not in request.app:
        return []
    try:
        language = await request.app[MEMBERS].language_of(caller.subject)
    except BridgeError:  # the store is away: what is to be said is said all the same
        return []
    return [language] if language else []


def _put(value: object, info: ValidationInfo) -> object:
    """Put a text of an answer into the language that the context names; a route with such texts is ``worded``."""
    if not isinstance(value, Text):
        return value
    context: Mapping[str, str] | None = info.context
    assert context is not None, "a route whose answer has words is declared worded"
    return value.to(context["language"])


Words = Annotated[str, BeforeValidator(_put)]
"""A text of an answer that is put into the reader's language."""
