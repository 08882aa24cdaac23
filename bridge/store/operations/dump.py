"""The whole database, collection by collection, as BSON: out for a backup, and in for a restore."""

from __future__ import annotations

import secrets
from collections.abc import AsyncGenerator, Iterable, Mapping
from contextlib import asynccontextmanager, suppress
from typing import Any, Final

from bson.codec_options import CodecOptions
from bson.raw_bson import RawBSONDocument
from pymongo.errors import OperationFailure
from pymongo.read_concern import ReadConcern

from bridge.errors import Unavailable
from bridge.store.database import Database, Document, Query, Session, reaches_store
from bridge.store.schema import PROBE

SNAPSHOT: Final = "snapshot"
TRANSACTION: Final = "transaction"
"""How a backup holds together: by a snapshot session, or in a transaction."""

META: Final = "meta"
"""The collection of what a deployment knows of itself, the proof of its erasure key among it."""

_PROBE: Final = {"_id": "backup_probe"}
_NO_PROBES: Final[Query] = {"_id": {"$nin": [_PROBE["_id"], PROBE]}}


@reaches_store
class Dump:
    """The documents of every collection, read and written as they are."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._meta = database.collection(META)

    async def names(self) -> list[str]:
        """Return the names of the collections, sorted."""
        names = await self._database.raw.list_collection_names()
        return sorted(name for name in names if not name.startswith("system."))

    async def size(self) -> int:
        """Return about how many documents there are."""
        counts = [await self._database.collection(name).estimated_document_count() for name in await self.names()]
        return sum(counts)

    async def is_empty(self) -> bool:
        """Say whether there is not a single document."""
        for name in await self.names():
            probe_filter = _NO_PROBES if name == META else {}
            if await self._database.collection(name).find_one(probe_filter, {"_id": 1}) is not None:
                return False
        return True

    @asynccontextmanager
    async def together(self) -> AsyncGenerator[tuple[str, Session]]:
        """Give what lets every read be of one moment, and its name; raises ``Unavailable`` where the server cannot.

        The server is tried, not asked: one may take a snapshot session and read the present all the same.
        """
        for name, opened in ((SNAPSHOT, self._snapshot), (TRANSACTION, self._transaction)):
            async with opened() as session:
                if await self._holds(session):
                    yield name, session
                    return
        raise Unavailable("This server cannot be read as it was at one moment.", why="no snapshots")

    @asynccontextmanager
    async def _snapshot(self) -> AsyncGenerator[Session]:
        async with await self._database.client.start_session(causal_consistency=False, snapshot=True) as session:
            yield session

    @asynccontextmanager
    async def _transaction(self) -> AsyncGenerator[Session]:
        async with await self._database.client.start_session() as session:
            session.start_transaction(read_concern=ReadConcern("snapshot"))
            try:
                yield session
            finally:
                with suppress(OperationFailure):
                    await session.abort_transaction()

    async def _holds(self, session: Session) -> bool:
        """Say whether a session goes on reading what was there at its first read."""
        try:
            before = await self._meta.find_one(_PROBE, session=session)
            await self._meta.update_one(_PROBE, {"$set": {"token": secrets.token_hex(8)}}, upsert=True)
            return await self._meta.find_one(_PROBE, session=session) == before
        except OperationFailure:
            return False
        finally:
            await self._meta.delete_one(_PROBE)

    async def batches(self, name: str, session: Session) -> AsyncGenerator[bytes]:
        """Yield a collection's documents as BSON, many at once."""
        query: Query = _NO_PROBES if name == META else {}
        async for batch in self._database.collection(name).find_raw_batches(query, session=session):
            yield batch

    async def insert(self, name: str, documents: Iterable[bytes]) -> None:
        """Write documents as they were."""
        codec: Any = CodecOptions(document_class=RawBSONDocument)
        options = self._database.collection(name).with_options  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType] - its codec
        await options(codec).insert_many([RawBSONDocument(document) for document in documents], ordered=False)

    @staticmethod
    def read(documents: Iterable[bytes]) -> list[Document]:
        """Return documents of a backup as the store would."""
        return [dict(RawBSONDocument(document)) for document in documents]

    async def note(self, name: str, facts: Mapping[str, Any]) -> None:
        """Write down in ``meta`` what was done."""
        await self._meta.replace_one({"_id": name}, {"_id": name, **facts}, upsert=True)

    async def unnote(self, name: str) -> None:
        """Take such a note away."""
        await self._meta.delete_one({"_id": name})

    async def noted(self, name: str) -> Document | None:
        """Return such a note, or None."""
        return await self._meta.find_one({"_id": name})
