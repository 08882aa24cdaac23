"""The documents of State and of the Profiles: bytes under a key, with an ETag (xAPI-Communication §2.2)."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from pymongo.errors import DuplicateKeyError

from bridge.domain.lrs.documents import DocumentScope, XapiDocument, XapiDocumentRow
from bridge.domain.members.identifiers import tombstone
from bridge.domain.privacy.subjects import DataSubject
from bridge.store.database import Database, Query, reaches_store


@reaches_store
class Documents:
    """The ``lrs_documents`` collection."""

    def __init__(self, database: Database) -> None:
        self._documents = database.collection("lrs_documents", XapiDocumentRow)
        self._key = database.erasure_key

    async def get(self, scope: DocumentScope, document_id: str) -> XapiDocument | None:
        """Return a document."""
        row = await self._documents.find_one({"_id": scope.identity(document_id)})
        if row is None:
            return None
        return XapiDocument(row["content"], row["content_type"], row["updated_at"])

    async def put(self, scope: DocumentScope, document_id: str, new: XapiDocument, replaces: str | None) -> bool:
        """Store a document in place of the one whose ETag is ``replaces`` (None: of none); False when it is not so."""
        row: XapiDocumentRow = {
            "_id": scope.identity(document_id),
            "kind": scope.kind,
            "activity": scope.activity,
            "agent": scope.agent,
            "stone": tombstone(await self._key.get(), scope.agent) if scope.agent else None,
            "registration": scope.registration,
            "document_id": document_id,
            "content": new.content,
            "content_type": new.content_type,
            "etag": new.etag,
            "updated_at": new.updated_at,
        }
        if replaces is not None:
            result = await self._documents.replace_one({"_id": row["_id"], "etag": replaces}, row)
            return result.matched_count == 1
        try:
            await self._documents.insert_one(row)
        except DuplicateKeyError:
            return False
        return True

    async def delete(self, scope: DocumentScope, document_id: str, etag: str) -> bool:
        """Delete the document with this ETag; False when it is not so."""
        result = await self._documents.delete_one({"_id": scope.identity(document_id), "etag": etag})
        return result.deleted_count == 1

    async def ids(
        self, scope: DocumentScope, since: datetime | None, limit: int
    ) -> tuple[Sequence[str], datetime | None]:
        """Return the ids of documents, changed after ``since`` if given, and when the last of them was changed."""
        query = _filter(scope) | ({"updated_at": {"$gt": since}} if since else {})
        rows = await self._documents.find(query, {"document_id": 1, "updated_at": 1}).to_list(limit)
        latest = max((row["updated_at"] for row in rows), default=None)
        return sorted({row["document_id"] for row in rows}), latest

    async def erase(self, subject: DataSubject) -> None:
        """Delete every document of a person, under whatever identifier they had when it was changed last."""
        for query in ({"stone": {"$in": list(subject.spans)}}, {"agent": {"$in": list(subject.keys)}}):
            rows = self._documents.find(query, {"agent": 1, "updated_at": 1})
            ids = [row["_id"] async for row in rows if subject.is_key(row["agent"], row["updated_at"])]
            await self._documents.delete_many({"_id": {"$in": ids}})

    async def clear(self, scope: DocumentScope) -> None:
        """Delete every document of a scope."""
        await self._documents.delete_many(_filter(scope))


def _filter(scope: DocumentScope) -> Query:
    """Return the query for a scope's documents; without a registration those of every registration are meant."""
    query: Query = {"kind": scope.kind, "activity": scope.activity, "agent": scope.agent}
    return query | ({"registration": scope.registration} if scope.registration else {})
