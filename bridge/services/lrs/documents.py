"""Documents of State and of the Profiles: read, stored whole or merged, deleted (xAPI-Communication §2.2, §3.1)."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from bridge.domain.lrs import DocumentScope, Precondition, WriteGuard, XapiDocument, merge_documents
from bridge.errors import Conflict, NotFound, StaleVersion, TooLarge
from bridge.store import Documents

MAX_IDS = 10_000
"""Ids that one answer lists."""

MAX_TRIES = 20
"""How often a document is written anew when others change it meanwhile."""


class LrsDocuments:
    """The document resources' use cases; a document has at most ``max_bytes``."""

    def __init__(self, store: Documents, max_bytes: int) -> None:
        self._store = store
        self._max_bytes = max_bytes

    async def get(self, scope: DocumentScope, document_id: str) -> XapiDocument:
        """Return a document; raises ``NotFound``."""
        document = await self._store.get(scope, document_id)
        if document is None:
            raise NotFound("There is no such document.")
        return document

    async def list_ids(self, scope: DocumentScope, since: datetime | None) -> tuple[Sequence[str], datetime | None]:
        """Return the ids of a scope's documents changed after ``since``, and the time of the last change."""
        return await self._store.ids(scope, since, MAX_IDS)

    async def put(
        self, scope: DocumentScope, document_id: str, new: XapiDocument, expected: Precondition, guard: WriteGuard
    ) -> None:
        """Store a document whole, if ``guard`` allows it without a precondition."""
        is_unguarded = guard is WriteGuard.NONE and not expected.exists
        for _ in range(MAX_TRIES):
            current = await self._store.get(scope, document_id)
            expected.check(current)
            if not expected.exists:
                guard.check(current)
            if await self._store.put(scope, document_id, new, current.etag if current else None):
                return
            if not is_unguarded:
                raise StaleVersion("Someone changed this document meanwhile; read it again.")
        raise _contended()

    async def merge(
        self, scope: DocumentScope, document_id: str, addition: XapiDocument, expected: Precondition
    ) -> None:
        """Merge a document into the stored one; raises ``TooLarge`` when they are too long together."""
        for _ in range(MAX_TRIES):
            current = await self._store.get(scope, document_id)
            expected.check(current)
            new = merge_documents(current, addition)
            if len(new.content) > self._max_bytes:
                raise TooLarge(f"A document has at most {self._max_bytes} bytes, merged ones too; use several.")
            if await self._store.put(scope, document_id, new, current.etag if current else None):
                return
        raise _contended()

    async def delete(self, scope: DocumentScope, document_id: str, expected: Precondition) -> None:
        """Delete a document; one that is not there stays so."""
        current = await self._store.get(scope, document_id)
        expected.check(current)
        if current and not await self._store.delete(scope, document_id, current.etag) and expected.exists:
            raise StaleVersion("Someone changed this document meanwhile; read it again.")

    async def clear(self, scope: DocumentScope) -> None:
        """Delete every document of a scope."""
        await self._store.clear(scope)


def _contended() -> Conflict:
    return Conflict("Others keep changing this document; try again.")
