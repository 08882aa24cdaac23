"""Takes a person out of the collections: each part may be broken off anywhere, and is safe to do again."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Final

import orjson
from pymongo import UpdateOne

from bridge.domain.agents import id_key, tombstone
from bridge.domain.comparison import digest
from bridge.domain.erasing import found_by, is_own, roles_of, without_mention
from bridge.domain.lrs.facts import people
from bridge.store.database import Database, Document, bulk, reaches_store
from bridge.store.erasures import Erasures
from bridge.store.inventory import BY_MEMBER
from bridge.store.lrs.attachments import Attachments
from bridge.store.members import Members
from bridge.store.statements import GONE

AT_ONCE: Final = 100
"""Statements that are read and written at once: the largest may have 16 MB each."""

FROM_THE_QUEUE: Final = ("log_entries", "held", "outbox")
"""Collections that a batch under way may still write to when its member is erased."""


@reaches_store
class Removal:
    """What is removed by a member id, or by the identifier keys of a person."""

    def __init__(self, database: Database, erasures: Erasures) -> None:
        self._database = database
        self._erasures = erasures
        self._members = Members(database)
        self._statements = database.collection("statements")
        self._attachments = Attachments(database)

    async def records(self, member_id: str, names: Sequence[str] = BY_MEMBER) -> None:
        """Remove what is stored under a member id; the event that tells of the erasure stays until it is delivered."""
        for name in names:
            if name == "outbox":
                await self._events(member_id)
            else:
                await self._database.collection(name).delete_many({"member_id": member_id})

    async def _events(self, member_id: str) -> None:
        outbox = self._database.collection("outbox")
        await outbox.delete_many({"member_id": member_id, "type": {"$ne": "member.erased"}})
        await outbox.update_many({"block.member_id": member_id}, {"$pull": {"block": {"member_id": member_id}}})

    async def late(self, member_id: str) -> None:
        """Remove what came for an erased member while the erasure went on; nothing for anybody else.

        Who writes for a member looks again afterwards whether the member changed, so that nothing is left
        (docs/decisions/0002).
        """
        if not await self._erasures.among([id_key(member_id)]):
            return
        await self.records(member_id, FROM_THE_QUEUE)
        await self._own({"member_id": member_id}, ())
        member = await self._members.get(member_id)
        if member is not None and "erasing" not in member:
            await self._members.remove(member_id)

    async def statements(self, member_id: str, keys: Collection[str]) -> None:
        """Leave of a person's statements that they were erased, and take the person out of those of others."""
        mentions = list(found_by(keys))
        await self._own({"member_id": member_id}, ())
        await self._own({"about": {"$in": mentions}}, keys)
        for mention in mentions:  # the embedded store looks a single key up, not a list, and with a range behind it
            await self._own({"lrs.here": True, "lrs.keys": mention, "lrs.at": {"$gte": 0}}, keys)

    async def named(self, stones: Collection[str]) -> set[str]:
        """Return the identifier keys, wherever statements or documents name anybody, whose tombstones are these.

        It reads every statement: only a restore asks.
        """
        secret = await self._erasures.key.get()
        names: set[str] = set()
        async for row in self._database.collection("parked").find({}, {"actor_key": 1}):
            names.add(row["actor_key"])
        async for row in self._database.collection("lrs_documents").find({"agent": {"$gt": ""}}, {"agent": 1}):
            names.add(row["agent"])
        async for row in self._statements.find({}, {"raw": 1}):
            names |= set(people(orjson.loads(row["raw"]))) if row.get("raw") else set()
        return {name for name in names if tombstone(secret, name) in stones}

    async def _own(self, query: Document, keys: Collection[str]) -> None:
        """Erase what a query finds; with ``keys``, only what they sent, and mentions of them in the rest."""
        while rows := [row async for row in self._statements.find(query).limit(AT_ONCE)]:
            own = {row["_id"]: row for row in rows if not keys or is_own(row.get("raw", b""), keys)}
            attached = {one["sha2"] for row in own.values() for one in row.get("lrs", {}).get("attached", ())}
            changes = [
                UpdateOne({"_id": row["_id"]}, GONE if row["_id"] in own else _unmentioned(row, keys)) for row in rows
            ]
            await self._attachments.release(attached, own)  # first, while the rows still lead to them
            await bulk(self._statements, changes)
            await self._attachments.release(attached)  # what another erasure left them for has gone meanwhile


def _unmentioned(row: Document, keys: Collection[str]) -> Document:
    """Return the change that takes a person out of another's statement, and out of what it is found by."""
    hidden = [*found_by(keys), *roles_of(keys)]
    change: Document = {"$set": {}, "$pullAll": {"about": hidden} if "about" in row else {}}
    if row.get("raw"):
        change["$set"]["raw"] = raw = without_mention(row["raw"], keys)
        change["$addToSet"] = {"redacted": digest(orjson.loads(raw))}  # one on its way to the worker is no other
    if "lrs" in row:
        change["$pullAll"] |= {"lrs.keys": hidden, "lrs.roles": hidden}
        if chain := row["lrs"].get("chain"):
            change["$set"]["lrs.chain"] = [_unchained(link, hidden) for link in chain]
    return change


def _unchained(link: Document, hidden: Sequence[bytes]) -> Document:
    return {**link, **{name: [key for key in link[name] if key not in hidden] for name in ("keys", "roles")}}
