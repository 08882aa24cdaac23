"""Erasures: the ledger that keeps erased what was erased (invariant 8)."""

from __future__ import annotations

from datetime import datetime
from typing import Literal, NotRequired, TypedDict, get_args

ErasureState = Literal["erased", "running", "held"]
ERASURE_STATES: tuple[ErasureState, ...] = get_args(ErasureState)


class ErasureHold(TypedDict):
    """Why an erasure waits: a case of the Register Audit goes on."""

    reason: str
    case_id: str


class StoredErasure(TypedDict):
    """A document of ``erasures``."""

    _id: str  # the tombstone of the member id
    state: ErasureState
    requested_at: datetime
    requested_by: NotRequired[str]  # a token subject, or the cause; a restored ledger says nobody
    cause: str  # ``request`` or ``retention``
    member_id: NotRequired[str]  # until it is done
    held: NotRequired[ErasureHold | None]
    begun_at: NotRequired[datetime]
    keys: NotRequired[list[str]]  # the tombstones of every identifier, once it has begun
    erased_at: NotRequired[datetime]
