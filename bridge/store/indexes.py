"""The indexes of each collection: one for each list, search and count that reads it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from pymongo import IndexModel

from bridge.domain.audit import cases
from bridge.domain.operations import letters
from bridge.domain.record import entries, plan
from bridge.domain.record.counts import COUNTED_BY
from bridge.domain.record.files import QUARANTINED
from bridge.store.idempotency import KEPT
from bridge.store.operations.reports import ENTRY_FIELDS


def _index(name: str, *fields: str, **options: Any) -> IndexModel:
    """Return an index of these fields; one that begins with ``-`` descends."""
    keys = [(field.removeprefix("-"), -1 if field.startswith("-") else 1) for field in fields]
    return IndexModel(keys, name=name, **options)


def _order(name: str, *first: str, sort: str) -> IndexModel:
    """Return the index that serves a sort in both directions, behind equalities on the ``first`` fields."""
    return _index(name, *first, f"order.{sort}.empty", f"order.{sort}.key", "_id")


def _of_records(sorts: Iterable[str]) -> list[IndexModel]:
    """Return the indexes of a member's records: one for each sort, for keywords, for reports, and for reading all."""
    return [
        *(_order(f"by_{sort}", "member_id", "listed", sort=sort) for sort in sorts),
        _index("tokens", "member_id", "listed", "tokens"),
        _index("every", "member_id", "_id"),
    ]


_HAS_MERGE_KEYS: Final = {"merge_keys": {"$exists": True}}

INDEXES: Final[Mapping[str, Sequence[IndexModel]]] = {
    "members": [_index("former", "former.stone", sparse=True)],
    "identifiers": [_index("stone", "stone", sparse=True)],
    "plan_items": [
        *_of_records(plan.SORTABLE),
        _index("made", "created_at", "listed", "complete", "member_id"),
    ],
    "log_entries": [
        *_of_records(entries.SORTABLE),
        _index("counted", "member_id", "listed", *COUNTED_BY, "minutes"),
        _index("made", "created_at", "listed", *ENTRY_FIELDS, "member_id"),
        _index("merge", "member_id", "merge_keys", unique=True, partialFilterExpression=_HAS_MERGE_KEYS),
    ],
    "comments": [_order("by_created_at", "member_id", sort="created_at")],
    "evidence.files": [
        _order("by_entry", "member_id", "entry_id", sort="uploaded_at"),
        _index("waiting", "tried_at", partialFilterExpression={"state": QUARANTINED}),
    ],
    "evidence.chunks": [_index("chunk", "files_id", "n", unique=True)],
    "evidence.loose": [_index("oldest", "at")],
    "follow_ups": [_index("left_behind", "at")],
    "idempotency": [_index("kept", "at", expireAfterSeconds=int(KEPT.total_seconds())), _index("member", "member_id")],
    "support_grants": [
        _order("by_member", "member_id", sort="created_at"),
        _index("live", "member_id", "expires_at"),
    ],
    "audit_cases": [
        _index("one_open", "member_id", unique=True, partialFilterExpression={"open": True}),
        _index("member", "member_id", "-selected_at"),
        _index("due", "state", "due_date"),
        *(_order(f"by_{sort}", sort=sort) for sort in cases.SORTABLE),
    ],
    "submissions": [_index("member", "member_id", "case_id")],
    "submission_pieces": [_index("piece", "submission_id", "n", unique=True), _index("member", "member_id")],
    "notices": [
        _index("due", "state", "next_at"),
        _order("by_created_at", sort="created_at"),
        _index("member", "member_id"),
        _index("message", "message_id"),
    ],
    "statements": [
        _index("member", "member_id", sparse=True),
        _index("about", "about", sparse=True),
        _index("actor", "actor", sparse=True),
        # The fields behind ``_id`` are for reports, which count people and read no document.
        _index("fates", "disposition", "reason", "received_at", "_id", "via", "member_id", "actor"),
        # The field that makes it partial comes first: the embedded store takes a partial index only so.
        _index("lrs_find", "lrs.here", "lrs.keys", "-lrs.at", "-_id", partialFilterExpression={"lrs.here": True}),
        _index("lrs_attached", "lrs.attached.sha2", sparse=True),
    ],
    "held": [_index("period", "member_id", "period_id")],
    "parked": [_index("actor", "actor_key"), _index("age", "at", "_id")],
    "dead_letters": [
        *(_order(sort, sort=sort) for sort in letters.SORTABLE),
        *(_index(name, name) for name in ("owners", "named", "statements")),
    ],
    "lrs_documents": [
        _index("activity", "activity", "agent", "kind"),
        _index("agent", "agent", "kind"),
        _index("stone", "stone"),  # finds what is about a person, by whatever identifier they had
    ],
    "lrs_references": [_index("to", "to")],
    "lrs_attachments.files": [_index("filename", "filename", "uploadDate")],
    "lrs_attachments.chunks": [_index("chunk", "files_id", "n", unique=True)],
    "outbox": [_index("in_order", "member_id", "act", "n"), _index("age", "at")],
    "access_log": [
        _index("chain", "chain", "seq", unique=True),
        _order("by_member_key", "member_key", sort="at"),
        _index("by_subject", "subject", "at"),
    ],
    "erasures": [_index("keys", "keys"), _index("unfinished", "member_id", sparse=True)],
}
"""Collection → its indexes; one that is not here is read by id alone."""
