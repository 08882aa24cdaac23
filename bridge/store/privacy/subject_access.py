"""Everything that is held about one member, wherever it is, so that no copy for a subject access request misses any."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Final

from bridge.domain.privacy.subjects import DataSubject
from bridge.domain.record.files import EvidenceFile
from bridge.domain.statements.ledger import mention
from bridge.domain.statements.redaction import is_own_statement, named_keys
from bridge.store.database import Database, Document, Query, reaches_store

NOT_THE_MEMBERS: Final = frozenset(
    {
        "access_log",  # shown in words: it names members of staff, and its chain is not about the member
        "submission_pieces",  # shown put together
        "evidence.chunks",  # shown as files
        "dead_letter_bodies",  # shown with their letters, as far as they are about the member
        "idempotency",  # answers already given, each a copy of what is shown elsewhere
    }
)

OWN_USE: Final = dict.fromkeys(
    (
        *("order", "tokens", "listed", "linked", "span", "merge_keys", "keys", "acts", "digest", "ending_announced"),
        *("about", "redacted", "lrs.keys", "lrs.roles", "lrs.held", "lrs.chain"),  # what names anybody else too
    ),
    0,
)
"""Fields that the store reckons from the others, to find and sort by."""

STONES: Final = frozenset({"stone", "owners", "named"})
"""Fields with tombstones, of whoever a document names."""

KEYED_BY_MEMBER: Final = frozenset({"members", "departures"})

AT_ONCE: Final = 100
"""Ids that are read at once; documents are read one by one, as the largest have 16 MB."""


@reaches_store
class Holdings:
    """Documents about a person in every collection, a page at a time, so that an outage is met as one at any point."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def collections(self) -> list[str]:
        """Return the names of the collections that may hold something about a member."""
        names = await self._database.raw.list_collection_names()
        return sorted(name for name in names if name not in NOT_THE_MEMBERS and not name.startswith("system."))

    async def ids(self, name: str, subject: DataSubject, after: Any = None) -> list[Any]:
        """Return ids, after one, of what may be about a person in a collection, deleted or not; none at the end."""
        ids: set[Any] = set()
        for seek in _found_by(name, subject):
            ids.update(await self._ids(name, seek, {} if after is None else {"_id": {"$gt": after}}))
        return sorted(ids)[:AT_ONCE]

    async def _ids(self, name: str, seek: Query, rest: Query) -> list[Any]:
        """Return the first ids; the embedded store looks ``seek`` up where it stands alone (docs/decisions/0018)."""
        stages = [
            {"$match": seek},
            {"$match": rest},
            {"$sort": {"_id": 1}},
            {"$limit": AT_ONCE},
            {"$project": {"_id": 1}},
        ]
        return [row["_id"] async for row in self._database.collection(name).aggregate(stages)]

    async def read(self, name: str, subject: DataSubject, document_id: Any) -> Document | None:
        """Return a document without what is of the store's own use, or None when it is gone or not the person's."""
        document = await self._database.collection(name).find_one({"_id": document_id}, OWN_USE)
        if document is None or not _is_theirs(name, document, subject):
            return None
        return {field: value for field, value in document.items() if field not in STONES}

    async def files(self, member_id: str) -> list[EvidenceFile]:
        """Return what is known of each of a member's files, in the order they were uploaded."""
        files = self._database.collection("evidence.files", EvidenceFile).find({"member_id": member_id})
        return [file async for file in files.sort([("order.uploaded_at.key", 1), ("_id", 1)])]


def _found_by(name: str, subject: DataSubject) -> list[Query]:
    """Return queries that together find what is about a person: an ``$or`` of them would read the whole collection."""
    stones = list(subject.spans)
    match name:
        case "lrs_documents":
            return [{"stone": {"$in": stones}}, {"agent": {"$in": list(subject.keys)}}]
        case "dead_letters":
            return [{"named": {"$in": [subject.own_stone, *stones]}}]
        case "parked":
            return [{"actor_key": {"$in": list(subject.keys)}}]
        case "audit_samples":
            return [{"population": subject.member_id}]
        case "statements":
            return [{"member_id": subject.member_id}, {"about": {"$in": [mention(stone) for stone in stones]}}]
        case _:
            return [{"_id" if name in KEYED_BY_MEMBER else "member_id": subject.member_id}]


def _is_theirs(name: str, document: Any, subject: DataSubject) -> bool:
    """Say whether what was found is a person's: an identifier may have been another's at the time."""
    match name:
        case "statements":
            return is_own_statement(document, subject) or bool(named_keys(document, subject))
        case "lrs_documents":
            return subject.is_key(document["agent"], document["updated_at"])
        case "parked":
            return subject.is_key(document["actor_key"], document["at"])
        case "dead_letters":
            at = datetime.fromisoformat(document["failed_at"])
            return any(stone == subject.own_stone or subject.is_stone(stone, at) for stone in document["named"])
        case _:
            return True
