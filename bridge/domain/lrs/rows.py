"""The LRS's part of a ledger row: what a statement is found and shown by, and the row of one that is new."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import NotRequired, TypedDict, cast

from bridge.domain.lrs.index_keys import EVERY_STATEMENT, IndexKeys
from bridge.domain.statements.dispositions import Via
from bridge.domain.statements.ledger import AttachmentRow, LrsFields, actor_mention, mentions


class LrsRow(TypedDict):
    """A row of the ledger that came over HTTP; without a disposition until the worker has settled it."""

    _id: str
    raw: bytes
    digest: bytes
    received_at: datetime
    about: list[bytes]
    via: Via
    actor: NotRequired[bytes]
    lrs: LrsFields
    voided_by: NotRequired[str]


class ReferenceRow(TypedDict):
    """A row of ``lrs_references``: a statement, and the one that it refers to."""

    _id: str
    to: str


class UnsentRow(TypedDict):
    """A row of ``lrs_unsent``: statements that were stored together and are still to be published."""

    _id: str  # begins with the time stored, in microseconds since 1970, in twenty digits
    ids: list[str]


class AttachmentFileRow(TypedDict):
    """A file of GridFS in ``lrs_attachments.files``: the data of an attachment."""

    _id: str
    filename: str  # the SHA-2 hash, in lower-case hexadecimal
    length: int
    chunkSize: int
    uploadDate: datetime
    going: NotRequired[bool]  # it may be deleted just now


class AttachmentChunkRow(TypedDict):
    """A chunk of such a file, in ``lrs_attachments.chunks``."""

    files_id: str
    n: int  # from 0
    data: bytes


@dataclass(frozen=True, slots=True)
class NewStatement:
    """One statement on its way into the store."""

    statement_id: str
    raw: bytes
    digest: bytes
    received_at: datetime
    at: int  # the time stored, in microseconds since 1970
    added: bytes
    reshape: bool
    untimed: bool
    index_keys: IndexKeys
    actor_key: str | None  # None: a Group
    people: frozenset[str]  # the identifier keys of everybody it names, in its text or by what the LRS adds
    by: str
    has_own_id: bool  # its sender chose its id
    attached: list[AttachmentRow]
    traceparent: str | None  # of the request that brought it, for the message that takes it on
    correlation_id: str | None  # likewise

    def fields(self) -> LrsFields:
        """Return the sub-document ``lrs``."""
        fields = {
            "at": self.at,
            "added": self.added,
            "reshape": self.reshape or None,
            "untimed": self.untimed or None,
            "keys": sorted(self.index_keys.mentioned | {EVERY_STATEMENT}),
            "roles": sorted(self.index_keys.roles),
            "held": sorted(self.index_keys.held),
            "by": self.by,
            "target": self.index_keys.target,
            "voids": self.index_keys.voids,
            "attached": self.attached or None,
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
            "via": "http",
            **actor_mention(secret, self.actor_key),
            "lrs": self.fields(),
        }
