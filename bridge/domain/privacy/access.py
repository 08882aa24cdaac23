"""The access log's rows: what each says, how they hang together, and the words a member reads (R62-R64).

Each row's hash covers the hash of the row before it, and a chain's head says where it ends (docs/decisions/0007).
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import reduce
from typing import NotRequired, TypedDict

import orjson

from bridge.domain.list_keys import SortKey
from bridge.texts import Text

CHAINS = 16
"""How many chains there are: a fixed number, so that one that is missing is missed; more let more writers by."""

BEGINNING = "0" * 64
"""What the first row of a chain has for the hash of the row before it."""

TEAMS: Mapping[str, Text] = {
    "register": Text("the Register assessment team"),
    "support": Text("the support team"),
    "platform": Text("the membership system"),
    "privacy": Text("the data protection team"),
    "ops": Text("the operations team"),
    "member": Text("a member"),
}
"""What a person calls those who have a role; who it was by name is not told."""

RIGHTS: Mapping[str, Text] = {
    "audit_case": Text("You submitted this record for the Register Audit"),
    "support_grant": Text("You gave the support team your permission"),
    "subject_access": Text("You asked for a copy of everything that is held about you"),
    "operations": Text("A message about you could not be recorded, and they looked for the cause"),
    "lookup": Text("They looked for what became of something that you completed"),
    "none": Text("There was no right to it, so that nothing was shown"),
}

PARTS: Mapping[str, Text] = {
    "submission": Text("the record that you submitted"),
    "evidence": Text("a file of evidence"),
    "evidence_list": Text("the list of evidence"),
    "log": Text("the list of your log"),
    "log_entry": Text("a log entry"),
    "plan": Text("the list of your plan"),
    "plan_item": Text("a plan item"),
    "periods": Text("your membership years"),
    "period": Text("a membership year"),
    "comments": Text("your supporting information"),
    "record": Text("your record"),
    "statements": Text("what became of your completions"),
    "dead_letter": Text("a message about what you completed"),
}


class StoredRight(TypedDict):
    """The right that let a reader in, as a row has it."""

    kind: str  # one of ``RIGHTS``
    id: str | None


class AccessContent(TypedDict):
    """The content of a row of the access log, without its place in a chain."""

    at: datetime
    subject: str  # of staff the token's subject, of a member a tombstone
    roles: list[str]
    member_key: str | None  # the tombstone of the member's id; None: of nobody who is known
    right: StoredRight
    parts: list[str]  # of ``PARTS``
    item: str | None  # the id of what was asked for
    call: str  # method and template of the route
    correlation_id: str
    allowed: bool  # whether anything was shown
    status: int  # the HTTP status of the answer


class AccessLogRow(AccessContent):
    """A document of ``access_log``."""

    _id: str  # chain and number
    chain: int
    seq: int  # its number in the chain, from 1
    prev: str  # the hash of the row before it
    hash: str
    order: NotRequired[dict[str, SortKey]]  # ``at``; stands beside the row, and is not hashed


class ChainHead(TypedDict):
    """A document of ``access_heads``: where a chain ends."""

    _id: int  # the chain
    seq: int
    hash: str


@dataclass(frozen=True, slots=True)
class Right:
    """The right that let a reader in: ``audit_case``, ``support_grant`` or ``operations`` (a dead letter) with an id.

    ``subject_access`` and ``lookup`` (what became of statements) have none, nor has ``none``, for one who was refused.
    """

    kind: str
    id: str | None = None


NO_RIGHT = Right("none")


@dataclass(frozen=True, slots=True)
class Reader:
    """The caller, and the call: a token's subject and roles, the route's template, the correlation id."""

    subject: str
    roles: tuple[str, ...]
    call: str
    correlation_id: str


@dataclass(frozen=True, slots=True)
class Access:
    """A read of a record, or an attempt: ids and names of parts only, never what is in them."""

    reader: Reader
    member_id: str | None
    right: Right
    parts: tuple[str, ...] = ()
    item: str | None = None  # the id of what was asked for
    status: int = 200  # the HTTP status of the answer

    @property
    def allowed(self) -> bool:
        """Whether anything was shown."""
        return self.right.kind != NO_RIGHT.kind


def chain_of(member_id: str | None, subject: str) -> int:
    """Return the chain that holds the rows about a member; about nobody known, the reader's own."""
    return hashlib.sha256((member_id or f"reader:{subject}").encode()).digest()[0] % CHAINS


def content(access: Access, at: datetime, member_key: str | None) -> AccessContent:
    """Return what a row says, without its place in a chain; the member by tombstone, as an erasure keeps it."""
    return {
        "at": at,
        "subject": access.reader.subject,
        "roles": sorted(access.reader.roles),
        "member_key": member_key,
        "right": {"kind": access.right.kind, "id": access.right.id},
        "parts": list(access.parts),
        "item": access.item,
        "call": access.reader.call,
        "correlation_id": access.reader.correlation_id,
        "allowed": access.allowed,
        "status": access.status,
    }


CONTENT = (
    "at", "subject", "roles", "member_key", "right", "parts", "item", "call", "correlation_id", "allowed", "status",
)  # fmt: skip


def linked(content: AccessContent, chain: int, seq: int, previous: str) -> AccessLogRow:
    """Return a whole row: its content at its place in a chain, with its hash."""
    row: AccessLogRow = {**content, "_id": f"{chain}:{seq}", "chain": chain, "seq": seq, "prev": previous, "hash": ""}
    return {**row, "hash": row_hash(row)}


def order(row: AccessLogRow) -> dict[str, SortKey]:
    """Return a row's place in a member's list, by time; it stands beside the row."""
    return {"at": {"empty": False, "key": f"{row['at']:%Y-%m-%dT%H:%M:%S.%f}/{row['seq']:012}"}}


def row_hash(row: AccessLogRow) -> str:
    """Return the SHA-256, in hex, of a row's canonical JSON: its content and place, keys sorted, times in UTC."""
    hashed_fields = {name: row.get(name) for name in (*CONTENT, "chain", "seq", "prev")}
    canonical = orjson.dumps(hashed_fields, option=orjson.OPT_SORT_KEYS | orjson.OPT_UTC_Z, default=str)
    return hashlib.sha256(canonical).hexdigest()


def in_words(row: AccessLogRow) -> Text:
    """Say in one sentence who read what, when and by which right; raises nothing for a role that is not known."""
    message = (
        Text("On {day} at {time} UTC, {reader} read {parts}. {right}.")
        if row["allowed"]
        else Text("On {day} at {time} UTC, {reader} asked for {parts}. {right}.")
    )
    right = RIGHTS.get(row["right"]["kind"], RIGHTS["none"])
    at = row["at"]
    return message.filled(day=at.date(), time=f"{at:%H:%M}", reader=team(row), parts=_parts(row), right=right)


def _parts(row: AccessLogRow) -> Text:
    first, *rest = [PARTS.get(part, PARTS["record"]) for part in row["parts"]] or [PARTS["record"]]
    return reduce(lambda parts, part: Text("{parts} and {part}", parts=parts, part=part), rest, first)


def team(row: AccessLogRow) -> Text:
    """Return what a person calls the reader."""
    return next((TEAMS[role] for role in TEAMS if role in row["roles"]), Text("somebody"))
