"""Errors of the driver sorted by cause: what was to be written, another who wrote meanwhile, or the store.

Only what a statement can cause itself is its own fault. Every other answer, one that nobody has seen before among them,
is an outage to wait out (invariant 7).
"""

from __future__ import annotations

from typing import Any, Final

from bson.errors import InvalidBSON
from pymongo.errors import (
    BulkWriteError,
    CollectionInvalid,
    ConnectionFailure,
    DocumentTooLarge,
    InvalidName,
    InvalidOperation,
    NotPrimaryError,
    OperationFailure,
    PyMongoError,
)

DUPLICATE_KEY: Final = 11000
"""MongoDB's error code for a broken unique index."""

WRITE_CONFLICT: Final = 112
"""MongoDB's error code for meeting a transaction on the same document; the same write goes through afterwards."""

TRANSIENT: Final = "TransientTransactionError"
"""MongoDB's label of an error after which a transaction is to be run again."""

OWN: Final = frozenset(
    {
        DUPLICATE_KEY,
        121,  # DocumentValidationFailure
        257,  # TransactionTooLarge
        319,  # TransactionTooLargeForCache: what is too much together is tried in halves
        10334,  # BSONObjectTooLarge
        17419,  # an update would make the document too large
        17420,  # a replacement would
    }
)
"""Error codes that what was to be written can cause."""

CALLS: Final = (DocumentTooLarge, InvalidName, InvalidOperation, CollectionInvalid)
"""What the driver refuses before it asks the store: a document too large, or a mistake of ours."""

ERRORS: Final = (PyMongoError, InvalidBSON)
"""What the driver raises for the store's answers; a document that cannot be encoded raises another, and is left so."""

WORDS: Final = {
    13: "not allowed",
    18: "login refused",
    8000: "login refused",  # MongoDB Atlas
    50: "too slow",
    64: "no majority",
    100: "no majority",
    14031: "disk full",
}
"""Error code → why the store cannot work, in a word or two; the server's own text may quote what was written."""


def is_outage(error: BaseException) -> bool:
    """Say whether an error is the store's fault, and the same call may go through later."""
    if isinstance(error, CALLS):
        return False
    if isinstance(error, OperationFailure):
        return not codes(error) <= OWN or bool(_details(error).get("writeConcernErrors"))
    return True


def is_transient(error: PyMongoError) -> bool:
    """Say whether a transaction is to be run again: it met another, or its connection broke."""
    return error.has_error_label(TRANSIENT) or (isinstance(error, OperationFailure) and WRITE_CONFLICT in codes(error))


def is_conflict(error: PyMongoError) -> bool:
    """Say whether a transaction met another on the same document, and is to be run again."""
    return is_transient(error) and not isinstance(error, ConnectionFailure)


def is_duplicate(error: PyMongoError) -> bool:
    """Say whether a write failed by a broken unique key and nothing else."""
    if not isinstance(error, OperationFailure) or _details(error).get("writeConcernErrors"):
        return False
    return codes(error) == {DUPLICATE_KEY}


def codes(error: OperationFailure) -> set[int | None]:
    """Return the codes of an answer; of a bulk write those of each of its faults, and never none at all."""
    if isinstance(error, BulkWriteError):
        faults: list[dict[str, Any]] = _details(error).get("writeErrors", [])
        return {fault.get("code") for fault in faults}
    return {error.code}


def why(error: BaseException) -> str:
    """Return in a word or two why the store cannot work; nothing that was written, and no address."""
    if isinstance(error, NotPrimaryError):
        return "no primary"
    if isinstance(error, ConnectionFailure):
        return "no answer"
    if isinstance(error, OperationFailure):
        code = min((code for code in codes(error) - OWN if code), default=None) or _concern(error)
        return WORDS.get(code or 0, f"error {code}" if code else "error")
    return "unreadable answer"


def _concern(error: OperationFailure) -> int | None:
    faults: list[dict[str, Any]] = _details(error).get("writeConcernErrors") or []
    return next((fault.get("code") for fault in faults), None)


def _details(error: OperationFailure) -> dict[str, Any]:
    return dict(error.details or {})
