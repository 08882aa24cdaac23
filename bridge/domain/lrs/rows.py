"""The LRS's part of a ledger row: what a statement is found and shown by, and the row of one that is new."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import NotRequired, TypedDict, cast

from bridge.domain.lrs.index_keys import EVERY, IndexKeys
from bridge.domain.privacy.redaction import mentions


class AttachmentRow(TypedDict):
    """An attachment whose data is stored: its hash in lower case, and its media type."""

    sha2: str
    type: str


class ChainRow(TypedDict):
    """One statement of a chain of references: its id, the keys to look up by, the roles that narrow."""

    id: str
    keys: list[bytes]
    roles: list[bytes]


class LrsFields(TypedDict):
    """The sub-document ``lrs`` of a row of ``statements``."""

    at: int
    """The time stored, in microseconds since 1970."""
    added: bytes
    """What the LRS added to the statement, as the inside of a JSON object."""
    keys: list[bytes]
    """The keys to look up by: its own, and those of the statements that it refers to."""
    roles: list[bytes]
    """The keys that narrow a search, of the same statements."""
    held: list[bytes]
    """The keys of this statement alone."""
    by: str
    """The key of the credential that stored it."""
    here: bool
    """True; what the partial index of the LRS goes by."""
    reshape: NotRequired[bool]
    """It has to be parsed to be shown, rather than extended."""
    untimed: NotRequired[bool]
    """It came without a timestamp."""
    target: NotRequired[str]
    """The statement that it refers to."""
    voids: NotRequired[str]
    """The statement that it voids."""
    attached: NotRequired[list[AttachmentRow]]
    chain: NotRequired[list[ChainRow]]
    """It and the statements that it refers to, one after another."""
    traceparent: NotRequired[str]
    correlation_id: NotRequired[str]


class LrsRow(TypedDict):
    """A row of ``statements`` that came over HTTP; without a disposition until the worker has settled it."""

    _id: str
    """The statement's id, in lower case."""
    raw: bytes
    """Its text as received, with its id in front if it had none."""
    digest: bytes
    """Its canonical form, hashed (``statements.comparison``)."""
    received_at: datetime
    about: list[bytes]
    """Keyed hashes of everybody it names, for an erasure."""
    lrs: LrsFields
    voided_by: NotRequired[str]
    """The statement that voids it."""


class KnownRow(TypedDict, total=False):
    """A row of ``statements`` whoever made it: the queue, the LRS, or a voiding alone (then ``voided_by`` is all)."""

    _id: str
    raw: bytes
    digest: bytes
    received_at: datetime
    lrs: LrsFields
    voided_by: str


@dataclass(frozen=True, slots=True)
class StoredAttachment:
    """An attachment whose data is stored; the hash is in lower case."""

    sha2: str
    content_type: str


@dataclass(frozen=True, slots=True)
class NewStatement:
    """One statement on its way into the store.

    ``at`` is the time stored, in microseconds since 1970; ``has_own_id`` tells that its sender chose its id.
    ``people`` are the identifier keys of everybody it names, in its text or by what the LRS adds.
    ``traceparent`` and ``correlation_id`` are those of the request that brought it, for the message that takes it on.
    """

    statement_id: str
    raw: bytes
    digest: bytes
    received_at: datetime
    at: int
    added: bytes
    reshape: bool
    untimed: bool
    index_keys: IndexKeys
    people: frozenset[str]
    by: str
    has_own_id: bool
    attached: tuple[StoredAttachment, ...] = ()
    traceparent: str | None = None
    correlation_id: str | None = None

    def fields(self) -> LrsFields:
        """Return the sub-document ``lrs``."""
        fields = {
            "at": self.at,
            "added": self.added,
            "reshape": self.reshape or None,
            "untimed": self.untimed or None,
            "keys": sorted(self.index_keys.mentioned | {EVERY}),
            "roles": sorted(self.index_keys.roles),
            "held": sorted(self.index_keys.held),
            "by": self.by,
            "target": self.index_keys.target,
            "voids": self.index_keys.voids,
            "attached": [{"sha2": data.sha2, "type": data.content_type} for data in self.attached] or None,
            "here": True,
            "traceparent": self.traceparent,
            "correlation_id": self.correlation_id,
        }
        return cast("LrsFields", {name: value for name, value in fields.items() if value is not None})

    def row(self, secret: bytes) -> LrsRow:
        """Return the ledger's row; ``secret`` keys the hashes of the people in it."""
        return {
            "_id": self.statement_id,
            "raw": self.raw,
            "digest": self.digest,
            "received_at": self.received_at,
            "about": mentions(secret, self.people),
            "lrs": self.fields(),
        }
