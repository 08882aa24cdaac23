"""The documents of State and of the Profiles: bytes under a key, with an ETag (xAPI-Communication §2.2)."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal

import orjson
from pymongo.errors import DuplicateKeyError

from bridge.domain.privacy.subjects import DataSubject
from bridge.domain.statements.agents import tombstone
from bridge.store.database import Database, Document, reaches_store
from bridge.store.privacy.erasures import ErasureKey

Kind = Literal["state", "activity profile", "agent profile"]


@dataclass(frozen=True, slots=True)
class Shelf:
    """What documents belong to: an Activity, an Agent (by its key), both, and for state perhaps a registration."""

    kind: Kind
    activity: str | None = None
    agent: str | None = None
    registration: str | None = None

    def filter(self) -> Document:
        """Return the query for its documents; without a registration those of every registration are meant."""
        query: Document = {"kind": self.kind, "activity": self.activity, "agent": self.agent}
        return query | ({"registration": self.registration} if self.registration else {})

    def identity(self, document_id: str) -> str:
        """Return the key of one document: the same in every process, so that two writers meet in it."""
        named = [self.kind, self.activity, self.agent, self.registration, document_id]
        return hashlib.sha256(orjson.dumps(named)).hexdigest()


@dataclass(frozen=True, slots=True)
class Stored:
    """A document as it is kept; ``etag`` is the SHA-1 of its content, in hexadecimal."""

    content: bytes
    content_type: str
    etag: str
    updated_at: datetime

    @property
    def tag(self) -> str:
        """The entity tag, in its quotes."""
        return f'"{self.etag}"'


@reaches_store
class Documents:
    """The ``lrs_documents`` collection."""

    def __init__(self, database: Database) -> None:
        self._documents = database.collection("lrs_documents")
        self._key = ErasureKey(database)

    async def prepare(self) -> None:
        """Create the indexes; a tombstone finds what is about a person, by whatever identifier they had."""
        await self._documents.create_index([("activity", 1), ("agent", 1), ("kind", 1)], name="activity")
        await self._documents.create_index([("agent", 1), ("kind", 1)], name="agent")
        await self._documents.create_index("stone", name="stone")

    async def get(self, shelf: Shelf, document_id: str) -> Stored | None:
        """Return a document."""
        row = await self._documents.find_one({"_id": shelf.identity(document_id)})
        if row is None:
            return None
        return Stored(row["content"], row["content_type"], row["etag"], row["updated_at"])

    async def put(self, shelf: Shelf, document_id: str, new: Stored, replaces: str | None) -> bool:
        """Store a document in place of the one whose ETag is ``replaces`` (None: of none); False when it is not so."""
        identity = shelf.identity(document_id)
        row: Document = {
            "kind": shelf.kind,
            "activity": shelf.activity,
            "agent": shelf.agent,
            "stone": shelf.agent and tombstone(await self._key.get(), shelf.agent),
            "registration": shelf.registration,
            "document_id": document_id,
            "content": new.content,
            "content_type": new.content_type,
            "etag": new.etag,
            "updated_at": new.updated_at,
        }
        if replaces is not None:
            result = await self._documents.replace_one({"_id": identity, "etag": replaces}, row)
            return result.matched_count == 1
        try:
            await self._documents.insert_one({"_id": identity, **row})
        except DuplicateKeyError:
            return False
        return True

    async def delete(self, shelf: Shelf, document_id: str, etag: str) -> bool:
        """Delete the document with this ETag; False when it is not so."""
        result = await self._documents.delete_one({"_id": shelf.identity(document_id), "etag": etag})
        return result.deleted_count == 1

    async def ids(self, shelf: Shelf, since: datetime | None, limit: int) -> tuple[Sequence[str], datetime | None]:
        """Return the ids of documents, changed after ``since`` if given, and when the last of them was changed."""
        query = shelf.filter() | ({"updated_at": {"$gt": since}} if since else {})
        found = self._documents.find(query, {"document_id": 1, "updated_at": 1}).limit(limit)
        rows = [row async for row in found]
        latest = max((row["updated_at"] for row in rows), default=None)
        return sorted({row["document_id"] for row in rows}), latest

    async def erase(self, subject: DataSubject) -> None:
        """Delete every document of a person, under whatever identifier they had when it was changed last."""
        for query in ({"stone": {"$in": list(subject.spans)}}, {"agent": {"$in": list(subject.keys)}}):
            found = self._documents.find(query, {"agent": 1, "updated_at": 1})
            theirs = [row["_id"] async for row in found if subject.is_key(row["agent"], row["updated_at"])]
            await self._documents.delete_many({"_id": {"$in": theirs}})

    async def clear(self, shelf: Shelf) -> None:
        """Delete every document of a shelf."""
        await self._documents.delete_many(shelf.filter())


def document(content: bytes, content_type: str) -> Stored:
    """Make a document of what was received; the ETag is a SHA-1, as xAPI-Communication §3.1 asks."""
    etag = hashlib.sha1(content, usedforsecurity=False).hexdigest()
    return Stored(content, content_type, etag, datetime.now(UTC))
