"""Evidence: the members' files, in the format of GridFS, with what is known of each.

Chunks are written and read one by one: the driver's own streams buffer up to 32 MB. The file document is written last,
in the transaction that makes the file evidence. Until then, and again once it is deleted, the chunks belong to a row of
``evidence.loose``; so chunks that nothing stands for are always found, and removed.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Iterable
from datetime import datetime

from pymongo import ReturnDocument

from bridge.domain.record.files import (
    EVIDENCE_CHUNK,
    QUARANTINED,
    REJECTED,
    EvidenceFile,
    EvidenceState,
    EvidenceSummary,
    FileChunk,
    LooseFile,
    evidence_summary,
)
from bridge.errors import Unavailable
from bridge.store.database import Database, Query, Session, reaches_store
from bridge.store.listing import Listing, ListQuery, Position, Sort, page_of
from bridge.texts import Text


@reaches_store
class Evidence:
    """The collections ``evidence.files``, ``evidence.chunks`` and ``evidence.loose``."""

    def __init__(self, database: Database) -> None:
        self._files = database.collection("evidence.files", EvidenceFile)
        self._chunks = database.collection("evidence.chunks", FileChunk)
        self._loose = database.collection("evidence.loose", LooseFile)

    async def begin(self, file_id: str, member_id: str, at: datetime) -> None:
        """Announce chunks that are not evidence yet."""
        await self._loose.insert_one({"_id": file_id, "member_id": member_id, "at": at})

    async def write(self, file_id: str, number: int, data: bytes) -> None:
        """Write one chunk: each of ``EVIDENCE_CHUNK`` bytes but the last."""
        await self._chunks.insert_one({"files_id": file_id, "n": number, "data": data})

    async def piece(self, file_id: str, start: int, length: int) -> bytes:
        """Return ``length`` bytes of what was written from ``start`` on; fewer where it ends."""
        first, last = start // EVIDENCE_CHUNK, (start + length - 1) // EVIDENCE_CHUNK
        chunks = [await self._chunk(file_id, number) for number in range(first, last + 1)]
        return b"".join(chunks)[start - first * EVIDENCE_CHUNK :][:length]

    async def keep(self, file: EvidenceFile, session: Session) -> None:
        """Make announced chunks evidence; raises ``Unavailable`` when they were given up meanwhile."""
        result = await self._loose.delete_one({"_id": file["_id"], "given_up": None}, session=session)
        if not result.deleted_count:
            raise Unavailable(Text("This upload took too long and was given up; send the file again."))
        await self._files.insert_one(file, session=session)

    async def discard(self, file_id: str) -> None:
        """Remove chunks that are not evidence; does nothing to those that are."""
        given_up = await self._loose.update_one({"_id": file_id}, {"$set": {"given_up": True}})
        # From here on ``keep`` refuses them. An erasure may have taken the row, and then a chunk came after it.
        if given_up.matched_count or await self._files.find_one({"_id": file_id}, {"_id": 1}) is None:
            await self._chunks.delete_many({"files_id": file_id})
            await self._loose.delete_one({"_id": file_id})

    async def erase(self, member_id: str, at: datetime) -> None:
        """Remove every file of a member, and what is left of uploads; safe to break off and repeat."""
        await self._release({"member_id": member_id}, at, None)
        async for row in self._loose.find({"member_id": member_id}, {"_id": 1}):
            await self.discard(row["_id"])

    async def erase_of_entry(self, member_id: str, entry_id: str, at: datetime, session: Session) -> None:
        """Remove the files of an entry in a transaction; the sweep removes their content after it."""
        await self._release({"member_id": member_id, "entry_id": entry_id}, at, session)

    async def _release(self, query: Query, at: datetime, session: Session | None) -> None:
        async for file in self._files.find(query, {"member_id": 1}, session=session):
            await self._loosen(file["_id"], file["member_id"], at, session)
            await self._files.delete_one({"_id": file["_id"]}, session=session)

    async def loose_before(self, at: datetime, limit: int) -> list[str]:
        """Return the ids of chunks that were announced before a time and are not evidence, oldest first."""
        rows = self._loose.find({"at": {"$lt": at}}, {"_id": 1}).sort("at", 1).limit(limit)
        return [row["_id"] async for row in rows]

    async def get(self, member_id: str, file_id: str, session: Session | None = None) -> EvidenceFile | None:
        """Return one file of a member, or None."""
        return await self._files.find_one({"_id": file_id, "member_id": member_id}, session=session)

    async def list(
        self, member_id: str, entry_id: str, sort: Sort, limit: int, after: Position | None
    ) -> Listing[EvidenceFile]:
        """Return a page of an entry's files."""
        of_entry = {"member_id": member_id, "entry_id": entry_id}
        return await page_of(self._files, ListQuery(of_entry, {}, sort, limit, after))

    async def of_entries(
        self, member_id: str, entry_ids: Iterable[str], session: Session | None = None
    ) -> dict[str, list[EvidenceSummary]]:
        """Return entry id → its files, oldest first; an entry without any is left out."""
        query = {"member_id": member_id, "entry_id": {"$in": list(entry_ids)}}
        files: dict[str, list[EvidenceSummary]] = {}
        rows = self._files.find(query, session=session).sort([("order.uploaded_at.key", 1), ("_id", 1)])
        async for file in rows:
            files.setdefault(file["entry_id"], []).append(evidence_summary(file))
        return files

    async def used(self, member_id: str, session: Session | None = None) -> int:
        """Return the bytes that a member's files take up."""
        sums = self._files.aggregate(
            [
                {"$match": {"member_id": member_id, "state": {"$ne": REJECTED}}},
                {"$group": {"_id": None, "bytes": {"$sum": "$length"}}},
            ],
            session=session,
        )
        return sum([group["bytes"] async for group in sums])

    async def delete(self, member_id: str, file_id: str, at: datetime, session: Session) -> None:
        """Delete a member's file; its chunks are loose then, for ``discard`` to remove after the transaction."""
        await self._files.delete_one({"_id": file_id, "member_id": member_id}, session=session)
        await self._loosen(file_id, member_id, at, session)

    async def waiting(self, before: datetime, limit: int) -> list[EvidenceFile]:
        """Return files in quarantine that were last looked at before a time, the longest ago first."""
        files = self._files.find({"state": QUARANTINED, "tried_at": {"$lte": before}}).sort("tried_at", 1)
        return [file async for file in files.limit(limit)]

    async def postpone(self, file_id: str, at: datetime) -> None:
        """Put a file in quarantine behind the others, as it could not be scanned now."""
        await self._files.update_one({"_id": file_id, "state": QUARANTINED}, {"$set": {"tried_at": at}})

    async def set_state(
        self, file: EvidenceFile, state: EvidenceState, at: datetime, session: Session
    ) -> EvidenceFile | None:
        """Let a file out of quarantine, as ``clean`` or ``rejected``; None when it is no longer there.

        The chunks of a rejected one are loose from then on, for ``discard`` to remove after the transaction.
        """
        file_id, member_id = file["_id"], file["member_id"]
        file_after = await self._files.find_one_and_update(
            {"_id": file_id, "member_id": member_id, "state": QUARANTINED},
            {"$set": {"state": state}, "$inc": {"version": 1}},
            return_document=ReturnDocument.AFTER,
            session=session,
        )
        if file_after and state == REJECTED:
            await self._loosen(file_id, member_id, at, session)
        return file_after

    async def read(self, file: EvidenceFile) -> AsyncGenerator[bytes]:
        """Give a file's content chunk by chunk; raises ``Unavailable`` when it is not whole, as after a deletion."""
        number, remaining = 0, file["length"]
        while remaining > 0:
            data = await self._chunk(file["_id"], number)
            if not data:
                raise Unavailable(Text("The file cannot be read whole; it may have been deleted just now."))
            number, remaining = number + 1, remaining - len(data)
            yield data

    async def _chunk(self, file_id: str, number: int) -> bytes:
        chunk = await self._chunks.find_one({"files_id": file_id, "n": number})
        return chunk["data"] if chunk else b""

    async def _loosen(self, file_id: str, member_id: str, at: datetime, session: Session | None) -> None:
        row: LooseFile = {"_id": file_id, "member_id": member_id, "at": at, "given_up": True}
        await self._loose.replace_one({"_id": file_id}, row, upsert=True, session=session)
