"""Documents about a statement: its row in the ledger, and those that say that it waits."""

from __future__ import annotations

from datetime import datetime
from typing import NotRequired, TypedDict


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
