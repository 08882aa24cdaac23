"""One small tree of errors: what went wrong, and what the caller sees, as an RFC 9457 problem document."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from bridge.texts import Text

NOTHING_HERE = Text("There is nothing at this address, or it is not yours.")
"""What is said of what is not there, and of what is somebody else's: nobody can tell which."""


@dataclass(frozen=True, slots=True)
class FieldError:
    """One fault in the input."""

    pointer: str  # RFC 6901 into the body, or ``?name`` for a query parameter
    label: str  # what a person calls the field
    message: str  # what is wrong and how to mend it


class SettingsError(Exception):
    """One or more settings are wrong; the text names each, with its remedy."""


class BridgeError(Exception):
    """Anything the service says no to; subclasses carry the problem ``slug``, HTTP ``status`` and ``title``."""

    slug: ClassVar[str] = "internal"
    status: ClassVar[int] = 500
    title: ClassVar[str] = Text("Something went wrong here")

    def __init__(
        self, detail: str = "", *, field_errors: Sequence[FieldError] = (), retry_after: int | None = None
    ) -> None:
        super().__init__(detail or self.title)
        self.detail = detail or self.title
        self.field_errors = tuple(field_errors)
        self.retry_after = retry_after  # seconds, becomes the Retry-After header (RFC 9110 §10.2.3)


class ValidationFailed(BridgeError):
    """The input is well-formed, but a field is wrong."""

    slug, status, title = "validation", 422, Text("Some fields need attention")


class Malformed(BridgeError):
    """The input could not be read at all."""

    slug, status, title = "malformed", 400, Text("The request could not be read")


class Unauthenticated(BridgeError):
    """No token, or one that does not verify."""

    slug, status, title = "unauthenticated", 401, Text("A valid bearer token is needed")


class Forbidden(BridgeError):
    """The caller's role may not do this at all (what is another's is ``NotFound``)."""

    slug, status, title = "forbidden", 403, Text("Your role does not allow this")


class NotFound(BridgeError):
    """It does not exist, or is not the caller's: the two cannot be told apart."""

    slug, status, title = "not-found", 404, Text("Not found")


class MethodNotAllowed(BridgeError):
    """The path exists, the method does not."""

    slug, status, title = "method-not-allowed", 405, Text("This method is not offered here")

    def __init__(self, detail: str = "", *, allow: Sequence[str] = ()) -> None:
        super().__init__(detail)
        self.allow = tuple(allow)  # becomes the Allow header (RFC 9110 §10.2.1)


class Conflict(BridgeError):
    """The state of things does not allow it."""

    slug, status, title = "conflict", 409, Text("This conflicts with what is there")


class RecordFrozen(BridgeError):
    """It was submitted for the Register Audit, and cannot change until its case is returned or closed (R56)."""

    slug, status, title = "record-frozen", 409, Text("The record is frozen while it is reviewed")


class NotSelected(BridgeError):
    """Only a member selected for the Register Audit may submit (R54)."""

    slug, status, title = "not-selected", 409, Text("You are not selected for the Register Audit")


class StaleVersion(BridgeError):
    """``If-Match`` names an older version than the one stored: read again, then send the new ``ETag``."""

    slug, status, title = "stale-version", 412, Text("Someone changed this since you read it")


class TooLarge(BridgeError):
    """The body, or what it unpacks to, is over the limit."""

    slug, status, title = "too-large", 413, Text("The request is too large")


class UnsupportedMediaType(BridgeError):
    """The body's media type is not taken here."""

    slug, status, title = "unsupported-media-type", 415, Text("This media type is not taken here")


class PreconditionRequired(BridgeError):
    """A change needs ``If-Match`` with the ``ETag`` that was read, such as ``"3"`` (RFC 6585 §3)."""

    slug, status, title = "precondition-required", 428, Text("Say which version you are changing, with If-Match")


class RateLimited(BridgeError):
    """Too many requests from one subject."""

    slug, status, title = "rate-limited", 429, Text("Too many requests")


class Unavailable(BridgeError):
    """A part the service leans on (store, broker) does not do its work; the same call may go through later.

    ``why`` says in a word or two what keeps it, for operations: never a secret, an address or what was written.
    ``setting`` is the one that says where that part is, where one does. Every answer says when to come again.
    """

    slug, status, title = "unavailable", 503, Text("The service cannot answer just now")

    def __init__(self, detail: str = "", *, why: str = "no answer", setting: str = "", retry_after: int = 5) -> None:
        super().__init__(detail, retry_after=retry_after)
        self.why = why
        self.setting = setting
