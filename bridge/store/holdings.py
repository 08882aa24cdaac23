"""Everything that is held about one member, wherever it is, so that no copy for a subject access request misses any."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from bridge.store.database import Database, Document, reaches_store

NOT_THE_MEMBERS: Final = frozenset(
    {
        "access_log",  # shown in words: it names members of staff, and its chain is not about the member
        "submission_pieces",  # shown put together
        "evidence.chunks",  # shown as files
        "idempotency",  # answers already given, each a copy of what is shown elsewhere
        "tallies",  # sums of what is shown elsewhere
    }
)

OWN_USE: Final = dict.fromkeys(
    ("order", "tokens", "listed", "arrived", "tallied", "span", "merge_keys", "keys", "acts", "digest"), 0
)
"""Fields that the store reckons from the others, to find and sort by."""

KEYED_BY_MEMBER: Final = frozenset({"members", "departures"})

AT_ONCE: Final = 100


@dataclass(frozen=True, slots=True)
class Person:
    """Whose data: the member id, and the canonical identifiers that an LRS knows the same person by."""

    member_id: str
    keys: tuple[str, ...]


@reaches_store
class Holdings:
    """Reads across every collection; a page at a time, so that an outage is met as one wherever it comes."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def collections(self) -> list[str]:
        """Return the names of the collections that may hold something about a member."""
        names = await self._database.raw.list_collection_names()
        return sorted(name for name in names if name not in NOT_THE_MEMBERS and not name.startswith("system."))

    async def some(self, name: str, person: Person, after: Document | None) -> list[Document]:
        """Return what a collection holds about a person after a document, deleted or not; none at the end."""
        beyond: Document = {} if after is None else {"_id": {"$gt": after["_id"]}}
        query = {"$and": [_about(name, person), beyond]} if beyond else _about(name, person)
        found = self._database.collection(name).find(query, OWN_USE).sort("_id", 1).limit(AT_ONCE)
        return [document async for document in found]

    async def files(self, member_id: str) -> list[Document]:
        """Return what is known of each of a member's files, in the order they were uploaded."""
        found = self._database.collection("evidence.files").find({"member_id": member_id})
        return [document async for document in found.sort([("order.uploaded_at.key", 1), ("_id", 1)])]


def _about(name: str, person: Person) -> Document:
    if name == "lrs_documents":
        return {"agent": {"$in": list(person.keys)}}
    return {"_id" if name in KEYED_BY_MEMBER else "member_id": person.member_id}
