"""Everything that is held about one member, wherever it is, so that no copy for a subject access request misses any."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from bridge.domain.agents import id_key
from bridge.domain.erasing import found_by, is_own
from bridge.store.database import Database, Document, reaches_store

NOT_THE_MEMBERS: Final = frozenset(
    {
        "access_log",  # shown in words: it names members of staff, and its chain is not about the member
        "submission_pieces",  # shown put together
        "evidence.chunks",  # shown as files
        "dead_letter_bodies",  # shown with their letters, as far as they are about the member
        "idempotency",  # answers already given, each a copy of what is shown elsewhere
        "tallies",  # sums of what is shown elsewhere
    }
)

OWN_USE: Final = dict.fromkeys(
    (
        *("order", "tokens", "listed", "arrived", "tallied", "span", "merge_keys", "keys", "acts", "digest"),
        *("about", "redacted", "lrs.keys", "lrs.roles", "lrs.held", "lrs.chain"),  # what names anybody else too
    ),
    0,
)
"""Fields that the store reckons from the others, to find and sort by."""

KEYED_BY_MEMBER: Final = frozenset({"members", "departures"})

FILED_UNDER: Final = {"lrs_documents": "agent", "parked": "actor_key", "dead_letters": "about"}
"""Collection → the field with the keys of those whom a document is about, identified or by member id."""

AT_ONCE: Final = 100
"""Ids that are read at once; documents are read one by one, as the largest have 16 MB."""


@dataclass(frozen=True, slots=True)
class Person:
    """Whose data: the member id, and the canonical identifiers that an LRS knows the same person by."""

    member_id: str
    keys: tuple[str, ...]

    @property
    def about(self) -> list[str]:
        """What letters about the person are filed under."""
        return [id_key(self.member_id), *self.keys]


@reaches_store
class Holdings:
    """Reads across every collection; a page at a time, so that an outage is met as one wherever it comes."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def collections(self) -> list[str]:
        """Return the names of the collections that may hold something about a member."""
        names = await self._database.raw.list_collection_names()
        return sorted(name for name in names if name not in NOT_THE_MEMBERS and not name.startswith("system."))

    async def ids(self, name: str, person: Person, after: Any = None) -> list[Any]:
        """Return ids, after one, of what may be about a person in a collection, deleted or not; none at the end."""
        found: set[Any] = set()
        for seek in _found_by(name, person):
            found.update(await self._ids(name, seek, {} if after is None else {"_id": {"$gt": after}}))
        return sorted(found)[:AT_ONCE]

    async def _ids(self, name: str, seek: Document, rest: Document) -> list[Any]:
        """Return the first ids; the embedded store looks ``seek`` up where it stands alone (docs/decisions/0018)."""
        stages = [
            {"$match": seek},
            {"$match": rest},
            {"$sort": {"_id": 1}},
            {"$limit": AT_ONCE},
            {"$project": {"_id": 1}},
        ]
        return [row["_id"] async for row in self._database.collection(name).aggregate(stages)]

    async def read(self, name: str, person: Person, document_id: Any) -> Document | None:
        """Return a document without what is of the store's own use, or None when it is gone or not the person's."""
        document = await self._database.collection(name).find_one({"_id": document_id}, OWN_USE)
        return document if document and (name != "statements" or _is_theirs(document, person)) else None

    async def files(self, member_id: str) -> list[Document]:
        """Return what is known of each of a member's files, in the order they were uploaded."""
        found = self._database.collection("evidence.files").find({"member_id": member_id})
        return [document async for document in found.sort([("order.uploaded_at.key", 1), ("_id", 1)])]


def _found_by(name: str, person: Person) -> list[Document]:
    """Return queries that together find what is about a person: an ``$or`` of them would read the whole collection."""
    if name in FILED_UNDER:
        return [{FILED_UNDER[name]: {"$in": person.about}}]
    own = {"_id" if name in KEYED_BY_MEMBER else "member_id": person.member_id}
    if name != "statements":
        return [own]
    mentions = found_by(person.keys)
    over_http = [{"lrs.here": True, "lrs.keys": mention, "lrs.at": {"$gte": 0}} for mention in mentions]
    return [own, {"about": {"$in": mentions}}, *over_http]


def _is_theirs(statement: Document, person: Person) -> bool:
    """Say whether a statement is a person's: the member's whom it was settled for; else its actor's."""
    if "member_id" in statement:
        return statement["member_id"] == person.member_id
    return is_own(statement.get("raw", b""), person.keys)
