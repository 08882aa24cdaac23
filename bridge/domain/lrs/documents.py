"""Documents of State and of the Profiles: what they belong to, when they may be written, how they are merged."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import Enum
from typing import Any, Literal, TypedDict, cast

import orjson

from bridge.domain.fields import matches_strongly, matches_weakly
from bridge.errors import Conflict, Malformed, StaleVersion

DocumentKind = Literal["state", "activity profile", "agent profile"]
JSON = "application/json"


class XapiDocumentRow(TypedDict):
    """A row of ``lrs_documents``."""

    _id: str  # the document's identity, hashed (``DocumentScope.identity``)
    kind: DocumentKind
    activity: str | None
    agent: str | None  # the identifier key of the Agent
    stone: str | None  # the tombstone of that key, for an erasure
    registration: str | None
    document_id: str
    content: bytes
    content_type: str
    etag: str
    updated_at: datetime


@dataclass(frozen=True, slots=True)
class DocumentScope:
    """The owner of documents: an Activity, an Agent (by its key), both, and for state perhaps a registration."""

    kind: DocumentKind
    activity: str | None = None
    agent: str | None = None
    registration: str | None = None

    def identity(self, document_id: str) -> str:
        """Return the key of one document: the same in every process, so that two writers meet in it."""
        names = [self.kind, self.activity, self.agent, self.registration, document_id]
        return hashlib.sha256(orjson.dumps(names)).hexdigest()


@dataclass(frozen=True, slots=True)
class XapiDocument:
    """A document as it is stored."""

    content: bytes
    content_type: str
    updated_at: datetime

    @property
    def etag(self) -> str:
        """The SHA-1 of the content in hexadecimal, as xAPI-Communication §3.1 asks."""
        return hashlib.sha1(self.content, usedforsecurity=False).hexdigest()

    @property
    def tag(self) -> str:
        """The entity tag, in its quotes."""
        return f'"{self.etag}"'

    @property
    def is_json(self) -> bool:
        """Whether it is of the content type application/json."""
        return self.content_type.partition(";")[0].strip().lower() == JSON


@dataclass(frozen=True, slots=True)
class Precondition:
    """``If-Match`` and ``If-None-Match`` (RFC 9110 §13.1) as ``read_tags`` gives them; None when not sent."""

    match: Sequence[str] | None = None
    none_match: Sequence[str] | None = None

    @property
    def exists(self) -> bool:
        """Whether there is any."""
        return self.match is not None or self.none_match is not None

    def check(self, current: XapiDocument | None) -> None:
        """Raise ``StaleVersion`` unless the document is as expected."""
        if self.match is not None and not matches_strongly(self.match, current and current.tag):
            raise StaleVersion("The document is not the one that If-Match names; read it again.")
        if self.is_known(current):
            raise StaleVersion("There is a document already, or it is the one that If-None-Match names.")

    def is_known(self, current: XapiDocument | None) -> bool:
        """Whether the document is one that ``If-None-Match`` names."""
        return self.none_match is not None and matches_weakly(self.none_match, current and current.tag)


class WriteGuard(Enum):
    """When storing a document whole needs a precondition."""

    NONE = "never"
    REPLACING = "to replace a document"
    ALWAYS = "always"

    def check(self, current: XapiDocument | None) -> None:
        """Raise ``Conflict`` or ``Malformed`` when there is none, and should be (xAPI-Communication §3.1)."""
        if current and self is not WriteGuard.NONE:
            raise Conflict(
                "There is a document already: read it, then send its ETag as If-Match (xAPI-Communication §3.1)."
            )
        if self is WriteGuard.ALWAYS:
            raise Malformed(
                "Send If-None-Match: * to make a document, or If-Match with its ETag to replace it"
                " (xAPI-Communication §3.1)."
            )


def merge_documents(current: XapiDocument | None, addition: XapiDocument) -> XapiDocument:
    """Merge a document into another, property by property at the top level (xAPI-Communication §2.2).

    Raises ``Malformed`` unless both are JSON objects that can be written again.
    """
    changes = _json_object(addition) if current or addition.is_json else None
    if current is None or changes is None:
        return addition
    try:
        content = orjson.dumps(_json_object(current) | changes)
    except TypeError:  # ``orjson`` reads deeper JSON than it writes
        raise Malformed("A document of JSON that is nested this deep cannot be merged; replace it with PUT.") from None
    return XapiDocument(content, current.content_type, addition.updated_at)


def _json_object(document: XapiDocument) -> dict[str, Any]:
    try:
        value: Any = orjson.loads(document.content) if document.is_json else None
    except orjson.JSONDecodeError:
        value = None
    if not isinstance(value, dict):
        raise Malformed(
            "POST merges JSON objects: both documents must be of the content type application/json and hold an"
            " object (xAPI-Communication §2.2)."
        )
    return cast("dict[str, Any]", value)
