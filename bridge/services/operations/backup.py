"""Backup and restore: the whole database as one file, of one moment, and into an empty one."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterable, Callable
from datetime import datetime
from typing import Final, TypedDict

from bridge.documents.backups import BackupReader, BackupWriter, BadBackup, split
from bridge.domain.privacy import StoredErasure
from bridge.errors import Conflict
from bridge.services.operations.migrations import Migrations
from bridge.services.privacy.erasure import MemberErasure
from bridge.store import META, SCHEMA_VERSION, Stores, now


class BackupFacts(TypedDict):
    """What is known of a backup that was made."""

    at: datetime
    consistency: str
    documents: int
    bytes: int


class RestoreFacts(TypedDict):
    """What a restore did."""

    documents: int
    erased_again: int
    made_at: str  # ISO 8601


Progress = Callable[[int], None]
"""Told how many documents more are done."""

RESTORING: Final = "restoring"
"""The note in ``meta`` while a restore goes on: nobody serves such a database."""


class Backups:
    """Makes backups, and restores them."""

    def __init__(self, stores: Stores, migrations: Migrations, erasures: MemberErasure) -> None:
        self._stores = stores
        self._dump = stores.dump
        self._migrations = migrations
        self._erasures = erasures

    async def size(self) -> int:
        """Return about how many documents a backup would have."""
        return await self._dump.size()

    async def write(self, writer: BackupWriter, progress: Progress) -> BackupFacts:
        """Write everything; returns the facts of the backup, ``consistency`` among them. ``note`` is to follow."""
        at = now()
        async with self._dump.together() as (consistency, session):
            writer.header({"at": at.isoformat(), "schema": SCHEMA_VERSION, "consistency": consistency})
            for name in await self._dump.names():
                writer.collection(name)
                async for batch in self._dump.batches(name, session):
                    progress(writer.part(name, batch))
        counts = writer.close()["collections"].values()
        documents, size = (sum(collection[name] for collection in counts) for name in ("documents", "bytes"))
        return {"at": at, "consistency": consistency, "documents": documents, "bytes": size}

    async def record_backup(self, facts: BackupFacts) -> None:
        """Write down that a backup is whole and where it should be: metrics tell its age (R84)."""
        await self._dump.note("backup", facts)

    async def restore(
        self, reader: BackupReader, newer: AsyncIterable[StoredErasure], progress: Progress
    ) -> RestoreFacts:
        """Restore a backup into an empty database; ``newer`` are rows of a ledger of erasures made since.

        Nothing is written unless the whole file was read and is as it was written. Raises ``BadBackup``, ``Conflict``
        when the database is not empty, or ``WrongErasureKey`` when the erased of the backup would come back.
        """
        header, manifest, meta = reader.verify(META)
        if header["schema"] > SCHEMA_VERSION:
            raise BadBackup("The backup was made by a later release; restore it with that one.")
        if not await self._dump.is_empty():
            raise Conflict("The database is not empty: set BRIDGE_MONGO_DATABASE to a new name.")
        self._stores.erasure_key.must_fit(self._dump.read(meta))
        await self._dump.note(RESTORING, {"at": now()})
        for name, part in reader.parts():
            documents = list(split(part))
            await self._dump.insert(name, documents)
            progress(len(documents))
        await self._migrations.run()
        erased_count = await self._erasures.apply_again(_merged(self._stores.erasures.done(), newer))
        await self._dump.unnote(RESTORING)
        documents = sum(collection["documents"] for collection in manifest["collections"].values())
        return {"documents": documents, "erased_again": erased_count, "made_at": header["at"]}

    async def ledger(self) -> AsyncGenerator[StoredErasure]:
        """Yield the ledger of erasures, as a restore takes it."""
        async for row in self._stores.erasures.done():
            yield row


async def _merged(
    first: AsyncIterable[StoredErasure], second: AsyncIterable[StoredErasure]
) -> AsyncGenerator[StoredErasure]:
    async for row in first:
        yield row
    async for row in second:
        yield {**row, "state": "erased"}
