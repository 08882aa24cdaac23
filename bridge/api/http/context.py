"""The call that a handler is given: the request, the verified caller, and a typed way to the services."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Final, Literal, TypeVar, get_args

from aiohttp import web
from pydantic import BaseModel

from bridge.domain.fields import ANY_TAG, matches_weakly, read_tags
from bridge.errors import Malformed, PreconditionRequired, StaleVersion
from bridge.services.unit_of_work import Attempt
from bridge.settings import Settings
from bridge.texts import Text

Expected = frozenset[int] | None
"""The versions a client would accept to change; ``None`` is ``*``: whichever there is."""

_VERSION = re.compile(r'"(0|[1-9][0-9]{0,17})"')


def etag(version: int) -> str:
    """The strong entity tag of a version: ``"3"``."""
    return f'"{version}"'


def expected_versions(if_match: str | None) -> Expected:
    """Read ``If-Match``: ``"3"``, a list, or ``*``.

    Raises ``PreconditionRequired`` without one, ``Malformed`` when it is no list of entity tags, and ``StaleVersion``
    when no tag in it can ever match (weak tags never do, RFC 9110 §13.1.1).
    """
    if if_match is None:
        raise PreconditionRequired(Text('Send If-Match with the ETag you last read, for example If-Match: "3".'))
    try:
        tags = read_tags(if_match)
    except ValueError:
        raise Malformed(Text('If-Match is not a list of entity tags; write it as If-Match: "3".')) from None
    if ANY_TAG in tags:
        return None
    versions = frozenset(int(match[1]) for tag in tags if (match := _VERSION.fullmatch(tag)))
    if not versions:
        raise StaleVersion(Text("If-Match names no version of this; read it again and use the ETag you get."))
    return versions


def not_modified(if_none_match: str | None, tag: str) -> bool:
    """Whether the client has it already: ``If-None-Match`` is ``*`` or names ``tag``; what is no list is ignored."""
    try:
        return if_none_match is not None and matches_weakly(read_tags(if_none_match), tag)
    except ValueError:
        return False


T = TypeVar("T")

Role = Literal["member", "register", "support", "platform", "privacy", "ops"]
ROLES: Final[frozenset[Role]] = frozenset(get_args(Role))

SETTINGS: Final = web.AppKey("settings", Settings)
CORRELATION_ID: Final = web.RequestKey("correlation_id", str)
TRACEPARENT: Final = web.RequestKey("traceparent", str)

_KEY_LENGTH = 255


@dataclass(frozen=True, slots=True)
class Caller:
    """The caller: the token's ``sub`` (for a member, the member id) and its known roles."""

    subject: str
    roles: frozenset[Role]


ANONYMOUS: Final = Caller("", frozenset())
"""The caller of a public route."""

CALLER: Final = web.RequestKey("caller", Caller)
"""The verified caller of a request, also of one that is refused for want of a role."""


@dataclass(frozen=True, slots=True)
class Call:
    """One request to one route; ``path`` holds the path parameters, decoded."""

    request: web.Request
    caller: Caller
    path: Mapping[str, str]
    before_leaving: Callable[[], Awaitable[None]] | None = None
    """What is to be done once there is something to show, and before any of it leaves."""

    async def release(self) -> None:
        """Do what is to be done before anything leaves; a handler that streams calls it itself."""
        if self.before_leaving is not None:
            await self.before_leaving()

    @property
    def correlation_id(self) -> str:
        """The id that ties this call's log lines, answer and messages together."""
        return self.request[CORRELATION_ID]

    @property
    def traceparent(self) -> str:
        """The W3C trace context, to be carried through the broker."""
        return self.request[TRACEPARENT]

    def service(self, key: web.AppKey[T]) -> T:
        """The service that the application was built with under ``key``."""
        return self.request.app[key]

    def if_match(self) -> Expected:
        """The versions ``If-Match`` accepts; raises as ``expected_versions`` does."""
        values = self.request.headers.getall("If-Match", ())
        return expected_versions(", ".join(values) if values else None)

    def check_version(self, current: int) -> None:
        """Raise ``StaleVersion`` unless ``current`` is a version the client would accept to change."""
        expected = self.if_match()
        if expected is not None and current not in expected:
            raise StaleVersion(
                Text("Someone changed this since you read it; read it again, then send your change once more.")
            )

    def idempotency_key(self) -> str | None:
        """``Idempotency-Key``, or ``None``; raises ``Malformed`` unless it is 1 to 255 visible ASCII characters."""
        key = self.request.headers.get("Idempotency-Key")
        if key is not None and not (
            0 < len(key) <= _KEY_LENGTH and key.isascii() and key.isprintable() and " " not in key
        ):
            raise Malformed(Text("Idempotency-Key must be 1 to 255 visible ASCII characters; a UUID is a good one."))
        return key

    def attempt(self, body: BaseModel | bytes = b"") -> Attempt | None:
        """The attempt that this call is, or None without a key; bodies that read the same count as the same."""
        content = body if isinstance(body, bytes) else body.model_dump_json(exclude_unset=True).encode()
        route = f"{self.request.method} {self.request.path}"
        return Attempt.of(self.caller.subject, route, self.idempotency_key(), content)
