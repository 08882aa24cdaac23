"""Attachments in the format of GridFS, known by their hash: the same data is kept once (xAPI-Data §2.4.11).

Chunks are written and read one by one, so that no file is ever held whole (the driver's own streams buffer up to
32 MB). The file document is written last: chunks without one are of an upload that was cut off.
"""

from __future__ import annotations

import uuid
from collections.abc import AsyncGenerator, AsyncIterator, Iterable
from datetime import UTC, datetime
from typing import Final

from bridge.domain.lrs.rows import AttachmentChunkRow, AttachmentFileRow
from bridge.store.database import Database, reaches_store

CHUNK: Final = 255 * 1024
"""Bytes of a chunk, GridFS's default."""


@reaches_store
class Attachments:
    """The bucket ``lrs_attachments``; the file name is the SHA-2 hash in lower-case hexadecimal."""

    def __init__(self, database: Database) -> None:
        self._statements = database.collection("statements")
        self._files = database.collection("lrs_attachments.files", AttachmentFileRow)
        self._chunks = database.collection("lrs_attachments.chunks", AttachmentChunkRow)

    async def release(self, hashes: Iterable[str], leaving: Iterable[str] = ()) -> None:
        """Delete data that no statement has any more; ``leaving`` are the ids of statements that are about to go.

        It is marked before it is looked for, and who stores a statement looks for the mark afterwards: one of the two
        sees the other (docs/decisions/0002).
        """
        staying = {"_id": {"$nin": list(leaving)}}
        for sha2 in hashes:
            files = [file["_id"] async for file in self._files.find({"filename": sha2}, {"_id": 1})]
            await self._files.update_many({"_id": {"$in": files}}, {"$set": {"going": True}})
            if await self._statements.find_one({"lrs.attached.sha2": sha2, **staying}, {"_id": 1}) is None:
                await self._chunks.delete_many({"files_id": {"$in": files}})
                await self._files.delete_many({"_id": {"$in": files}})
            else:
                await self._files.update_many({"_id": {"$in": files}}, {"$unset": {"going": ""}})

    async def has(self, sha2: str) -> bool:
        """Say whether the data is there, to stay."""
        return await self._files.find_one({"filename": sha2, "going": None}, {"_id": 1}) is not None

    async def put(self, sha2: str, chunks: AsyncIterator[bytes]) -> None:
        """Store data as it comes, unless it is there by then; when ``chunks`` raises, nothing of it stays."""
        file_id = uuid.uuid4().hex
        try:
            length = await self._write(file_id, chunks)
        except BaseException:
            await self._chunks.delete_many({"files_id": file_id})
            raise
        if await self.has(sha2):
            await self._chunks.delete_many({"files_id": file_id})
            return
        file: AttachmentFileRow = {
            "_id": file_id,
            "filename": sha2,
            "length": length,
            "chunkSize": CHUNK,
            "uploadDate": datetime.now(UTC),
        }
        await self._files.insert_one(file)

    async def _write(self, file_id: str, chunks: AsyncIterator[bytes]) -> int:
        length, number, buffer = 0, 0, bytearray()
        async for chunk in chunks:
            buffer += chunk
            length += len(chunk)
            while len(buffer) >= CHUNK:
                await self._put_chunk(file_id, number, bytes(buffer[:CHUNK]))
                del buffer[:CHUNK]
                number += 1
        if buffer:
            await self._put_chunk(file_id, number, bytes(buffer))
        return length

    async def _put_chunk(self, file_id: str, number: int, data: bytes) -> None:
        await self._chunks.insert_one({"files_id": file_id, "n": number, "data": data})

    async def read(self, sha2: str) -> AsyncGenerator[bytes]:
        """Yield the data in chunks; nothing when it is not there."""
        file = await self._files.find_one({"filename": sha2}, {"_id": 1}, sort=[("uploadDate", -1)])
        if file is None:
            return
        async for chunk in self._chunks.find({"files_id": file["_id"]}).sort("n", 1).batch_size(4):
            yield chunk["data"]
