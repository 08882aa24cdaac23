"""Statements on their way into the ledger, with the sub-document ``lrs`` of what they are found and shown by."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from bridge.domain.lrs.index_keys import EVERY, Facts
from bridge.domain.privacy.redaction import mentions
from bridge.store.database import Document


@dataclass(frozen=True, slots=True)
class Attached:
    """An attachment whose data came with the statement."""

    sha2: str
    content_type: str


@dataclass(frozen=True, slots=True)
class Link:
    """What one statement of a chain of references is found by: ``keys`` to look up, ``roles`` to narrow."""

    keys: frozenset[bytes]
    roles: frozenset[bytes]


@dataclass(frozen=True, slots=True)
class Row:
    """One statement on its way in.

    ``at`` is the time stored, in microseconds since 1970; ``named`` tells that its sender chose its id.
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
    found_by: Facts
    people: frozenset[str]
    by: str
    named: bool
    attached: tuple[Attached, ...] = ()
    traceparent: str | None = None
    correlation_id: str | None = None

    def facts(self) -> Document:
        """Return the sub-document ``lrs``."""
        facts: Document = {
            "at": self.at,
            "added": self.added,
            "reshape": self.reshape or None,
            "untimed": self.untimed or None,
            "keys": sorted(self.found_by.mentioned | {EVERY}),
            "roles": sorted(self.found_by.roles),
            "held": sorted(self.found_by.held),
            "by": self.by,
            "target": self.found_by.target,
            "voids": self.found_by.voids,
            "attached": [{"sha2": one.sha2, "type": one.content_type} for one in self.attached] or None,
            "here": True,
            "traceparent": self.traceparent,
            "correlation_id": self.correlation_id,
        }
        return {name: value for name, value in facts.items() if value is not None}

    def document(self, secret: bytes) -> Document:
        """Return the ledger's document; without a disposition, until the worker has settled it."""
        about = mentions(secret, self.people)
        received = {"raw": self.raw, "digest": self.digest, "received_at": self.received_at, "about": about}
        return {"_id": self.statement_id, **received, "lrs": self.facts()}
