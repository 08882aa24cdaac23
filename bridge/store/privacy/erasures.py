"""The ledger of erasures: tombstones, so that no replay or restored backup brings a person back (invariant 8).

A tombstone is an HMAC of an identifier (docs/decisions/0012). Until an erasure is done its row has the member's id too.
"""

from __future__ import annotations

import secrets
from collections.abc import AsyncGenerator, Iterable

from bridge.domain.members.identifiers import id_key, tombstone
from bridge.domain.privacy.erasures import StoredErasure
from bridge.errors import SettingsError
from bridge.store.database import Database, Document, Session, insert_new, reaches_store

PROVEN = "erasure_key"
"""The row of ``meta`` that proves the key, and has it when none was given."""


class WrongErasureKey(SettingsError):
    """``BRIDGE_ERASURE_KEY`` is not the one that this database's tombstones were made with."""

    def __init__(self) -> None:
        super().__init__(
            "BRIDGE_ERASURE_KEY is not the key that this database's tombstones were made with: erased members would "
            "come back. Set it as it was; unset it when none was set."
        )


@reaches_store
class ErasureKey:
    """The secret of the tombstones: from the settings, else a random one of this deployment in ``meta``.

    ``meta`` keeps what proves the key, so that a changed setting is noticed before it does harm.
    """

    def __init__(self, database: Database) -> None:
        self._meta = database.collection("meta")
        self._given = database.erasure_key
        self._key: bytes | None = None

    async def get(self) -> bytes:
        """Return the secret; raises ``WrongErasureKey``."""
        if self._key is None:
            self._key = await self._load()
        return self._key

    async def _load(self) -> bytes:
        random_key = secrets.token_hex(32)
        stored_key = {} if self._given else {"key": random_key}
        proof = tombstone((self._given or random_key).encode(), "proof")
        await insert_new(self._meta, [{"_id": PROVEN, "proof": proof, **stored_key}])
        return self._proven(await self._meta.find_one({"_id": PROVEN}) or {})

    def must_fit(self, meta: Iterable[Document]) -> None:
        """Raise ``WrongErasureKey`` unless the tombstones of a database with this ``meta`` could be read here."""
        for row in meta:
            if row["_id"] == PROVEN:
                self._proven(row)

    def _proven(self, row: Document) -> bytes:
        key = (self._given or row.get("key") or "").encode()
        if tombstone(key, "proof") != row["proof"]:
            raise WrongErasureKey
        return key


@reaches_store
class Erasures:
    """The ``erasures`` collection; ``_id`` is the tombstone of the member id, ``keys`` those of every identifier."""

    def __init__(self, database: Database) -> None:
        self._erasures = database.collection("erasures", StoredErasure)
        self.key = ErasureKey(database)

    async def tombstone(self, key: str) -> str:
        """Return the tombstone of an identifier key."""
        return tombstone(await self.key.get(), key)

    async def among(self, keys: Iterable[str], session: Session | None = None) -> set[str]:
        """Return those of the identifier keys that belong to an erased person."""
        candidates = list(keys)
        if not candidates:
            return set()
        secret = await self.key.get()
        matches = await self._holding(stones := {tombstone(secret, key): key for key in candidates}, session)
        return {stones[stone] for stone in matches}

    async def stones(self, member_id: str, keys: Iterable[str]) -> list[str]:
        """Return every tombstone of a member, by whom all of their traces are known again."""
        secret = await self.key.get()
        return [tombstone(secret, key) for key in dict.fromkeys([id_key(member_id), *keys])]

    async def get(self, erasure_id: str, session: Session | None = None) -> StoredErasure | None:
        """Return a row, or None."""
        return await self._erasures.find_one({"_id": erasure_id}, session=session)

    async def put(self, row: StoredErasure, session: Session | None = None) -> None:
        """Write a row, new or in place of the one with its id."""
        await self._erasures.replace_one({"_id": row["_id"]}, row, upsert=True, session=session)

    async def drop(self, erasure_id: str, session: Session) -> None:
        """Remove the row of an erasure that is not to be after all; nothing where there is none."""
        await self._erasures.delete_one({"_id": erasure_id}, session=session)

    async def unfinished(self) -> list[StoredErasure]:
        """Return the rows of erasures that are held or were broken off."""
        return [row async for row in self._erasures.find({"member_id": {"$gt": ""}})]

    async def done(self) -> AsyncGenerator[StoredErasure]:
        """Yield the rows of erasures that are done: what a restored backup has to be told."""
        async for row in self._erasures.find({"state": "erased"}).sort("_id", 1):
            yield row

    async def _holding(self, stones: Iterable[str], session: Session | None) -> set[str]:
        candidates = set(stones)
        rows = self._erasures.find({"keys": {"$in": list(candidates)}}, {"keys": 1}, session=session)
        return {key async for erasure in rows for key in erasure.get("keys", ()) if key in candidates}
