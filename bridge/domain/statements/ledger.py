"""The ledger's row of a statement: what was received, and its one disposition (invariant 1)."""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import NotRequired, TypedDict, cast

from bridge.domain.members.identifiers import actor_key, tombstone
from bridge.domain.privacy.people import people
from bridge.domain.record.entries import NAMESPACE
from bridge.domain.statements import comparison
from bridge.domain.statements.comparison import digest
from bridge.domain.statements.completions import Completion, Meaning, Rules, Statement, meaning
from bridge.domain.statements.dispositions import Disposition, Outcome, Reason, Via
from schemas.xapi import is_activity


class AttachmentRow(TypedDict):
    """An attachment whose data is stored."""

    sha2: str  # its hash, in lower case
    type: str  # its media type


class ChainRow(TypedDict):
    """A statement of a chain of references."""

    id: str
    keys: list[bytes]  # to look up by
    roles: list[bytes]  # to narrow by


class LrsFields(TypedDict):
    """The sub-document ``lrs``, by which the LRS finds and shows a statement."""

    at: int  # the time stored, in microseconds since 1970
    added: bytes  # what the LRS added to the statement, as the inside of a JSON object
    keys: list[bytes]  # to look up by: its own, and those of the statements that it refers to
    roles: list[bytes]  # to narrow a search by, of the same statements
    held: list[bytes]  # the keys of this statement alone
    by: str  # the key of the credential that stored it
    here: bool  # True; what the partial index of the LRS goes by
    reshape: NotRequired[bool]  # it has to be parsed to be shown, rather than extended
    untimed: NotRequired[bool]  # it came without a timestamp
    target: NotRequired[str]  # the statement that it refers to
    voids: NotRequired[str]  # the statement that it voids
    attached: NotRequired[list[AttachmentRow]]
    chain: NotRequired[list[ChainRow]]  # it and the statements that it refers to, one after another
    traceparent: NotRequired[str]
    correlation_id: NotRequired[str]


class LedgerRow(TypedDict):
    """A document of ``statements``.

    It may be there before its statement is: a voiding that came first made it (``voided_by`` alone, decision 8), or the
    statement was stored over HTTP and the worker has not taken it yet (``lrs``, and no disposition).
    """

    _id: str  # the statement's id, in lower case
    raw: NotRequired[bytes]  # the statement as received; empty once its text is gone
    digest: NotRequired[bytes]  # of its canonical form (``statements.comparison``)
    redacted: NotRequired[list[bytes]]  # digests of what erasures left of it
    received_at: NotRequired[datetime]
    disposition: NotRequired[str]  # a ``Disposition``
    reason: NotRequired[str]  # a ``Reason``
    member_id: NotRequired[str]  # whose log it was for
    entry_id: NotRequired[str]  # the entry that it made or joined
    voided_by: NotRequired[str]  # the statement that voids it
    via: NotRequired[Via]  # how it came
    actor: NotRequired[bytes]  # the keyed hash of its actor's identifier, for who looks for it; none of a Group
    about: NotRequired[list[bytes]]  # keyed hashes of whoever it names, for an erasure
    lrs: NotRequired[LrsFields]  # of one that came over HTTP


class ParkedStatement(TypedDict):
    """A document of ``parked``: a statement that waits for its actor to become known (decision 10)."""

    _id: str  # the statement's id
    actor_key: str  # the actor's identifier key
    at: datetime  # when the statement was received


class HeldStatement(TypedDict):
    """A document of ``held``: a completion, or a voiding, that waits for a freeze to end (decision 4)."""

    _id: str  # the statement's id
    member_id: str
    period_id: str  # the frozen year
    at: datetime  # when the statement was received
    target: NotRequired[str]  # of a voiding: the statement that it voids; it needs no text of its own then


class FollowUp(TypedDict):
    """A document of ``follow_ups``: work on a member's record that a transaction has caused and left to be done."""

    _id: str  # the member id
    member_id: str
    at: datetime  # when somebody last worked on it
    refile_after: NotRequired[str]  # there while entries are to be filed anew: the id of the last one that was


class PullPosition(TypedDict):
    """A document of ``pulls``: how far the pull of one verb from another LRS has come."""

    _id: str  # endpoint and verb, hashed
    endpoint: str
    verb: str  # an IRI
    since: str | None  # the time stored (ISO 8601) up to which everything was published
    more: str | None  # the page to read next; None when none is left


@dataclass(frozen=True, slots=True)
class Arrival:
    """A valid statement on its way into the ledger."""

    statement_id: str
    raw: bytes
    digest: bytes  # tells whether two are the same (``comparison``)
    received_at: datetime
    meaning: Meaning
    actor_key: str | None  # None: a Group
    mentions: frozenset[str]  # the identifier keys of everybody else that is named
    via: Via
    traceparent: str | None  # the trace that brought it (W3C Trace Context)
    reconsidered_at: datetime | None  # when it was judged again, having been ignored

    @property
    def at(self) -> datetime:
        """When what becomes of it is decided: as it is received, or when it is reconsidered."""
        return self.reconsidered_at or self.received_at


def arrival(
    statement: Statement,
    raw: bytes,
    received_at: datetime,
    rules: Rules,
    *,
    via: Via = "amqp",
    traceparent: str | None = None,
    reconsidered_at: datetime | None = None,
) -> Arrival:
    """Take in a valid statement; one without an id gets the id that its bytes determine (docs/decisions/0003)."""
    own_id = statement.get("id")
    means = meaning(statement, received_at, rules)
    actor = means.actor_key if isinstance(means, Completion) else actor_key(statement["actor"])
    return Arrival(
        statement_id=own_id.lower() if own_id else str(uuid.uuid5(NAMESPACE, hashlib.sha256(raw).hexdigest())),
        raw=raw,
        digest=digest(statement),
        received_at=received_at,
        meaning=means,
        actor_key=actor,
        mentions=_others(statement, actor),
        via=via,
        traceparent=traceparent,
        reconsidered_at=reconsidered_at,
    )


def _others(statement: Statement, actor: str | None) -> frozenset[str]:
    """Return the identifier keys of whoever is named beside the actor; of most statements that is nobody."""
    if not ("context" in statement or "authority" in statement) and actor and is_activity(statement["object"]):
        return frozenset()
    return frozenset(key for key in people(statement) if key != actor)


WAITING = frozenset({Disposition.PARKED, Disposition.HELD})
"""Dispositions of a statement that is recorded later."""


def mention(stone: str) -> bytes:
    """Return what rows of the ledger are found by that name the person with this tombstone: ``about`` has it."""
    return bytes.fromhex(stone)[:12]


def mentions(secret: bytes, keys: Iterable[str]) -> list[bytes]:
    """Return what rows are found by that name whoever has these identifier keys, in order."""
    return sorted(mention(tombstone(secret, key)) for key in set(keys))


class ActorMention(TypedDict, total=False):
    """The field of a row by which its actor is found."""

    actor: bytes


def actor_mention(secret: bytes, actor_key: str | None) -> ActorMention:
    """Return what a row is found by whose actor has this identifier key; nothing of a Group."""
    return {} if actor_key is None else {"actor": mention(tombstone(secret, actor_key))}


def with_statement(row: LedgerRow, arrival: Arrival, member_id: str | None, secret: bytes) -> LedgerRow:
    """Return a row with the statement as it came.

    ``about`` finds, for an erasure, whoever is named and is not the member, and ``actor`` whose statement it is: keyed
    hashes, by the erasure's ``secret``.
    """
    actor = set[str]() if member_id or arrival.actor_key is None else {arrival.actor_key}
    about = mentions(secret, {*arrival.mentions, *actor})
    received: LedgerRow = {**row, "raw": arrival.raw, "digest": arrival.digest, "received_at": arrival.received_at}
    received = {**received, "via": arrival.via, **actor_mention(secret, arrival.actor_key)}
    return {**received, "about": about} if about else received


def settled(row: LedgerRow, outcome: Outcome) -> LedgerRow:
    """Return a row with an outcome in place of the one it had; of an erased statement nothing else is kept."""
    if outcome.reason is Reason.ERASED:
        return erased(row)
    facts = {
        "disposition": outcome.disposition.value,
        "reason": outcome.reason.value if outcome.reason else None,
        "member_id": outcome.member_id,
        "entry_id": outcome.entry_id,
    }
    rest = {name: value for name, value in row.items() if name not in facts}
    return cast("LedgerRow", {**rest, **{name: value for name, value in facts.items() if value is not None}})


def erased(row: LedgerRow) -> LedgerRow:
    """Return what stays of an erased statement, so that a redelivery is known again; even a digest could be guessed."""
    stub: LedgerRow = {
        "_id": row["_id"],
        "raw": b"",
        "digest": b"",
        "disposition": Disposition.IGNORED.value,
        "reason": Reason.ERASED.value,
    }
    if "received_at" in row:
        stub["received_at"] = row["received_at"]
    if "voided_by" in row:
        stub["voided_by"] = row["voided_by"]
    return stub


def is_erased(row: LedgerRow) -> bool:
    """Say whether a row is of a statement that was erased."""
    return row.get("reason") == Reason.ERASED.value


def received_at(row: LedgerRow) -> datetime:
    """Return when a row's statement was received."""
    assert "received_at" in row, "a row that names anybody has its statement"
    return row["received_at"]


def is_same(row: LedgerRow, digest: bytes) -> bool:
    """Say whether a digest is of the statement that a row holds: as it came, or as erasures left it."""
    return any(comparison.is_same(digest, stored) for stored in (row.get("digest", b""), *row.get("redacted", ())))


def duplicate(row: LedgerRow) -> Outcome:
    """Return the outcome of a statement that the ledger has already (decision 6)."""
    return Outcome(Disposition.DUPLICATE, entry_id=row.get("entry_id"), member_id=row.get("member_id"))


def conflict() -> Outcome:
    """Return the outcome of a statement whose id another one has (decision 6)."""
    return Outcome.dead(Reason.CONFLICT, "/id: an id of its own was expected; another statement was recorded under it")
