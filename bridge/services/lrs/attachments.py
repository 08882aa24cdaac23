"""Attachments of statements: their data checked and stored as it comes, and read again (xAPI-Data §2.4.11)."""

from __future__ import annotations

import hashlib
from collections.abc import AsyncGenerator, AsyncIterable, AsyncIterator, Iterable, Sequence

from bridge.domain.lrs import (
    ATTACHMENTS_CLAUSE,
    HASH_HEADER,
    LARGEST_SIGNATURE,
    AttachmentPart,
    BadSignature,
    IncomingStatement,
    Version,
    check_signature,
    cite_data,
    group_by_signature,
    malformed_part,
)
from bridge.errors import Malformed, TooLarge, Unavailable
from bridge.store import Attachments

_ALGORITHMS = {56: "sha224", 64: "sha256", 96: "sha384", 128: "sha512"}


class LrsAttachments:
    """The use cases of attachments, each of at most ``max_bytes``."""

    def __init__(self, store: Attachments, max_bytes: int) -> None:
        self._store = store
        self._max_bytes = max_bytes

    async def receive(
        self, parts: AsyncIterable[AttachmentPart] | None, statements: Sequence[IncomingStatement], version: Version
    ) -> frozenset[str]:
        """Store the data that came with statements, and return its hashes.

        Raises ``Malformed`` unless each attachment has a fileUrl or its data is here (xAPI-Data §2.4.11); that of a
        signature always is, and is one of its statement.
        """
        signers = group_by_signature(statements, version)
        expected = {part["sha2"].lower() for statement in statements for part in statement.attachments()}
        received = set[str]()
        if parts is not None:
            async for part in parts:
                if part.sha2 not in expected:
                    message = f"Each attachment needs {HASH_HEADER} with the sha2 of an attachment object"
                    raise Malformed(f"{message} ({ATTACHMENTS_CLAUSE}).")
                await self._store_part(part, signers.get(part.sha2, ()))
                received.add(part.sha2)
        _check_complete(statements, received, signers.keys(), version)
        return frozenset(received)

    async def _store_part(self, part: AttachmentPart, signers: Sequence[IncomingStatement]) -> None:
        data = self._verified(part)
        if signers:
            signature = await _read_signature(data)
            for statement in signers:
                _check_signature(signature, statement)
            data = _as_chunk(signature)
        await self._store.put(part.sha2, data)

    async def _verified(self, part: AttachmentPart) -> AsyncGenerator[bytes]:
        """Yield an attachment's data; raises at its end unless it has its hash.

        The ``length`` that the statement tells is not held against it: the hash says more (docs/decisions/0009).
        """
        digest, length = hashlib.new(_ALGORITHMS[len(part.sha2)]), 0
        async for chunk in part.chunks:
            digest.update(chunk)
            length += len(chunk)
            if length > self._max_bytes:
                raise TooLarge(f"An attachment of at most {self._max_bytes} bytes is taken here.")
            yield chunk
        if digest.hexdigest() != part.sha2:
            message = "The data of an attachment does not have the hash that its header names"
            raise Malformed(f"{message} ({ATTACHMENTS_CLAUSE}).")

    async def check_present(self, hashes: Iterable[str]) -> None:
        """Raise ``Unavailable`` when an erasure of the last statement with the same data has removed it meanwhile."""
        for sha2 in hashes:
            if not await self._store.has(sha2):
                raise Unavailable(
                    "The data of an attachment was removed while it came; send the same request once more."
                )

    def read(self, sha2: str) -> AsyncIterator[bytes]:
        """Return the data of an attachment, as it is read from the store."""
        return self._store.read(sha2)


def _check_complete(
    statements: Sequence[IncomingStatement], received: Iterable[str], signatures: Iterable[str], version: Version
) -> None:
    for attachment in (part for statement in statements for part in statement.attachments()):
        sha2 = attachment["sha2"].lower()
        if sha2 not in received and ("fileUrl" not in attachment or sha2 in signatures):
            clause = cite_data("/attachments", version)
            raise malformed_part("/attachments", "a part of the request with the data of each attachment", clause)


async def _read_signature(chunks: AsyncIterator[bytes]) -> bytes:
    signature = bytearray()
    async for chunk in chunks:
        signature += chunk
        if len(signature) > LARGEST_SIGNATURE:
            raise TooLarge(f"At most {LARGEST_SIGNATURE} bytes are taken here.")
    return bytes(signature)


def _check_signature(signature: bytes, statement: IncomingStatement) -> None:
    try:
        check_signature(signature, statement.statement)
    except BadSignature as error:
        raise malformed_part("/attachments", str(error), "xAPI-Data §2.6") from None


async def _as_chunk(data: bytes) -> AsyncGenerator[bytes]:
    yield data
