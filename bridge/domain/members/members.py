"""A member as the membership system knows them, and what freezes and audit cases say of their years (R56, R82)."""

from __future__ import annotations

from datetime import datetime
from typing import NotRequired, TypedDict

from schemas.xapi import NewPart


class PeriodDays(TypedDict):
    """The days of a membership year."""

    start: str  # YYYY-MM-DD, the first day
    end: str  # the last


LeaveDays = TypedDict("LeaveDays", {"from": str, "to": str})
"""The days of a leave, YYYY-MM-DD, both inclusive."""


class AuditYear(PeriodDays):
    """The year of an audit case that goes on: it stands, whatever calendar is brought (R82)."""

    case_id: str


class FreezeMark(TypedDict):
    """The mark on a frozen entry, plan item or file."""

    case_id: str
    period_id: str
    since: datetime


class Freeze(FreezeMark, PeriodDays):
    """A submitted year of a member, in which nothing changes until the case moves on (R56)."""


class FormerIdentifier(TypedDict):
    """An identifier that a member had."""

    stone: str  # its tombstone
    until: datetime


class ReferenceNumbers(TypedDict, total=False):
    """The last reference numbers given (R48); 0 where there is none."""

    log: int
    plan: int


class StoredMember(TypedDict):
    """A document of ``members``."""

    _id: str  # the member id
    name: str
    email: str | None
    language: str | None  # BCP 47
    registered: bool  # on the Register: changes guidance, never access (R80)
    registered_since: str | None  # YYYY-MM-DD
    renewal_date: str | None  # any renewal day; else ``periods`` are listed
    periods: list[PeriodDays] | None
    identifiers: list[NewPart]  # each as in an xAPI Agent
    keys: list[str]  # the identifiers' keys, and the id's own (``members.identifiers``)
    stones: list[str]  # the tombstones of ``keys``
    former: list[FormerIdentifier]
    leave: list[LeaveDays]  # in order, none overlapping another
    left_at: datetime | None
    version: int  # the ETag's
    acts: int  # the transactions on the member's record
    revision: NotRequired[int]  # the membership system's
    numbers: NotRequired[ReferenceNumbers]
    frozen: NotRequired[list[Freeze]]
    in_audit: NotRequired[list[AuditYear]]
    erasing: NotRequired[list[str]]  # the identifiers' keys, kept beside while an erasure goes on
    ending_announced: NotRequired[str]  # the last day of the last year whose end was announced


class Departure(TypedDict):
    """A document of ``departures``: a member who left before the membership system told of them."""

    _id: str  # the member id
    revision: int  # of the newest ``member.left``
