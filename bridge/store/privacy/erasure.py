"""Erasure of a person from the collections: each part may be broken off anywhere, and is safe to do again."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Final

import orjson
from pymongo import UpdateOne

from bridge.domain.lrs.index_keys import agent_facts, agent_mentions
from bridge.domain.members.identifiers import tombstone
from bridge.domain.privacy.people import people
from bridge.domain.privacy.subjects import DataSubject
from bridge.domain.statements.comparison import digest
from bridge.domain.statements.ledger import ChainRow, LedgerRow, ParkedStatement, mention, mentions, received_at
from bridge.domain.statements.redaction import actor_keys, is_own_statement, named_keys, redacted, settled_actor
from bridge.store.database import Change, Database, Query, bulk, reaches_store
from bridge.store.inventory import BY_MEMBER
from bridge.store.lrs.attachments import Attachments
from bridge.store.members.members import Identifiers
from bridge.store.statements.ledger import GONE

AT_ONCE: Final = 100
"""Statements that are read and written at once: the largest may have 16 MB each."""


@reaches_store
class Removal:
    """Removal by a member id, or by the identifier keys of a person."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._statements = database.collection("statements", LedgerRow)
        self._attachments = Attachments(database)
        self._identifiers = Identifiers(database)

    async def records(self, member_id: str) -> None:
        """Remove what is stored under a member id; the event that tells of the erasure stays until it is delivered."""
        for name in BY_MEMBER:
            but_erasure = {"type": {"$ne": "member.erased"}} if name == "outbox" else {}
            await self._database.collection(name).delete_many({"member_id": member_id, **but_erasure})

    async def statements(self, subject: DataSubject) -> None:
        """Leave of a person's statements that they were erased, take them out of those of others, and what waits."""
        if subject.member_id:
            await self._erase({"member_id": subject.member_id}, subject)
        keys = await self._erase({"about": {"$in": [mention(stone) for stone in subject.spans]}}, subject)
        for fact in agent_mentions({*keys, *subject.keys}):  # what refers to theirs, too
            # The embedded store looks a single key up, not a list, and with a range behind it.
            await self._erase({"lrs.here": True, "lrs.keys": fact, "lrs.at": {"$gte": 0}}, subject)
        await self._forget_parked({*keys, *subject.keys}, subject)

    async def _forget_parked(self, keys: Collection[str], subject: DataSubject) -> None:
        parked = self._database.collection("parked", ParkedStatement)
        rows = parked.find({"actor_key": {"$in": list(keys)}}, {"actor_key": 1, "at": 1})
        actor_keys_by_id = {
            row["_id"]: row["actor_key"] async for row in rows if subject.is_key(row["actor_key"], row["at"])
        }
        await parked.delete_many({"_id": {"$in": list(actor_keys_by_id)}})
        await self._identifiers.forget(actor_keys_by_id.values())

    async def named(self, stones: Collection[str]) -> set[str]:
        """Return the identifier keys that have these tombstones, by reading every statement: only a restore asks."""
        secret = await self._database.erasure_key.get()
        names: set[str] = set()
        async for row in self._database.collection("parked", ParkedStatement).find({}, {"actor_key": 1}):
            names.add(row["actor_key"])
        async for row in self._database.collection("lrs_documents").find({"agent": {"$gt": ""}}, {"agent": 1}):
            names.add(row["agent"])
        async for row in self._statements.find({}, {"raw": 1}):
            names |= set(people(orjson.loads(raw))) if (raw := row.get("raw")) else set()
        return {name for name in names if tombstone(secret, name) in stones}

    async def _erase(self, query: Query, subject: DataSubject) -> set[str]:
        """Erase the person's own of what a query finds, and take them out of the rest; returns the keys of those."""
        ids = [row["_id"] async for row in self._statements.find(query, {"_id": 1})]
        keys: set[str] = set()
        for start in range(0, len(ids), AT_ONCE):
            rows = self._statements.find({"_id": {"$in": ids[start : start + AT_ONCE]}})
            keys |= await self._erase_rows([row async for row in rows], subject)
        return keys

    async def _erase_rows(self, rows: Sequence[LedgerRow], subject: DataSubject) -> set[str]:
        own_rows = [row for row in rows if is_own_statement(row, subject)]
        ids = {row["_id"] for row in own_rows}
        keys_in = {row["_id"]: named_keys(row, subject) for row in rows if row["_id"] not in ids}
        erased = [UpdateOne({"_id": statement_id}, GONE) for statement_id in ids]
        redactions = [_unnamed(row, keys_in[row["_id"]], subject) for row in rows if row["_id"] in keys_in]
        attachment_hashes = {
            part["sha2"] for row in own_rows if "lrs" in row for part in row["lrs"].get("attached", ())
        }
        await self._attachments.release(attachment_hashes, ids)  # first, while the rows still lead to them
        if changes := [*erased, *(change for change in redactions if change is not None)]:
            await bulk(self._statements, changes)
        await self._attachments.release(attachment_hashes)  # what another erasure left them for has gone meanwhile
        return {key for keys in keys_in.values() for key in keys} | {key for row in own_rows for key in actor_keys(row)}


def _unnamed(row: LedgerRow, keys_in_row: Collection[str], subject: DataSubject) -> UpdateOne | None:
    """Return the change that takes a person out of another's statement, and out of what it is found by."""
    keys = {*keys_in_row, *subject.keys_at(subject.keys, received_at(row))} - settled_actor(row)
    hidden_facts, about = agent_facts(keys), mentions(subject.secret, keys)
    change: Change = {"$set": {}, "$pullAll": {"about": about} if "about" in row else {}}
    for name, text in (redacted(row, keys_in_row) if keys_in_row else {}).items():
        change["$set"]["raw" if name == "raw" else f"lrs.{name}"] = text
        if name == "raw":
            change["$addToSet"] = {"redacted": digest(orjson.loads(text))}  # one on its way to the worker is no other
    if "lrs" in row:
        change["$pullAll"] |= {f"lrs.{name}": hidden_facts for name in ("keys", "roles", "held")}
        if chain := row["lrs"].get("chain"):
            change["$set"]["lrs.chain"] = [_unchained(link, hidden_facts) for link in chain]
    change = {operator: fields for operator, fields in change.items() if fields}
    return UpdateOne({"_id": row["_id"]}, change) if change else None


def _unchained(link: ChainRow, hidden_facts: Collection[bytes]) -> ChainRow:
    keys, roles = ([key for key in link[name] if key not in hidden_facts] for name in ("keys", "roles"))
    return {**link, "keys": keys, "roles": roles}
