"""The call that a handler is given: the request, the verified caller, and a typed way to the services."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Final, Literal, TypeVar, get_args

from aiohttp import web
from pydantic import BaseModel

from bridge.api.http import conditional
from bridge.errors import Malformed
from bridge.services.unit_of_work import Attempt
from bridge.settings import Settings

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

    def if_match(self) -> conditional.Expected:
        """The versions ``If-Match`` accepts; raises as ``conditional.expected_versions`` does."""
        values = self.request.headers.getall("If-Match", ())
        return conditional.expected_versions(", ".join(values) if values else None)

    def idempotency_key(self) -> str | None:
        """``Idempotency-Key``, or ``None``; raises ``Malformed`` unless it is 1 to 255 visible ASCII characters."""
        key = self.request.headers.get("Idempotency-Key")
        if key is not None and not (
            0 < len(key) <= _KEY_LENGTH and key.isascii() and key.isprintable() and " " not in key
        ):
            raise Malformed("Idempotency-Key must be 1 to 255 visible ASCII characters; a UUID is a good one.")
        return key

    def attempt(self, body: BaseModel | bytes = b"") -> Attempt | None:
        """The attempt that this call is, or None without a key; bodies that read the same count as the same."""
        content = body if isinstance(body, bytes) else body.model_dump_json(exclude_unset=True).encode()
        route = f"{self.request.method} {self.request.path}"
        return Attempt.of(self.caller.subject, route, self.idempotency_key(), content)
