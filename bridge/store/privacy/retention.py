"""Data past its retention period: found by a query for each class, counted or removed."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

import orjson
from bson import ObjectId
from pymongo import UpdateOne

from bridge.domain.audit.cases import State
from bridge.domain.audit.notices import PENDING, SENDING
from bridge.domain.privacy.people import people
from bridge.domain.statements.dispositions import Disposition, Reason
from bridge.domain.statements.ledger import mentions
from bridge.store.database import Collection, Database, Document, Query, Session, Stage, bulk, reaches_store
from bridge.store.idempotency import KEPT as ANSWERS_KEPT
from bridge.store.lrs.attachments import Attachments
from bridge.store.lrs.unsent import Unsent
from bridge.store.members.members import Identifiers
from bridge.store.record.evidence import Evidence

AT_ONCE: Final = 500
TEXTS_AT_ONCE: Final = 100

TOMBSTONE: Final = (
    "_id", "member_id", "source", "draft", "version", "created_at", "updated_at", "deleted_at", "withdrawn_at",
    "merge_keys",
)  # fmt: skip
"""What stays of a deleted automatic entry, so that a redelivered statement does not bring it back (decision 5)."""

_TEXT: Query = {"raw": {"$gt": b""}, "lrs": None}
_TAKEN: Final = (Disposition.RECORDED.value, Disposition.MERGED.value, Disposition.WITHDRAWN.value)


@dataclass(frozen=True, slots=True)
class ExpiredQuery:
    """Documents of a collection that are past their time; ``sent`` leaves out what the broker is still to get."""

    collection: str
    query: Query
    sent: bool = False


def deleted_items(before: datetime) -> ExpiredQuery:
    """Return plan items that a member deleted and can no longer restore."""
    return ExpiredQuery("plan_items", {"deleted_at": {"$lt": before}})


def deleted_entries(before: datetime) -> ExpiredQuery:
    """Return log entries that a member deleted and can no longer restore."""
    return ExpiredQuery("log_entries", {"deleted_at": {"$lt": before}, "purged": None})


def taken(before: datetime) -> ExpiredQuery:
    """Return statements that are in a log, or were, whose text is there; those of the LRS are its own."""
    return ExpiredQuery("statements", {"received_at": {"$lt": before}, "disposition": {"$in": list(_TAKEN)}, **_TEXT})


def ignored(before: datetime) -> ExpiredQuery:
    """Return statements that were not for the log, whose text is there."""
    conditions = {"disposition": Disposition.IGNORED.value, "reason": {"$ne": Reason.ERASED.value}}
    return ExpiredQuery("statements", {"received_at": {"$lt": before}, **conditions, **_TEXT})


def parked(before: datetime) -> ExpiredQuery:
    """Return what waits for an actor who has not become known."""
    return ExpiredQuery("parked", {"at": {"$lt": before}})


def lrs_statements(before: datetime) -> ExpiredQuery:
    """Return statements that the LRS keeps, whether or not a worker was to settle them."""
    at = int(before.timestamp() * 1_000_000)
    return ExpiredQuery("statements", {"lrs.here": True, "lrs.at": {"$lt": at}}, sent=True)


def lrs_documents(before: datetime) -> ExpiredQuery:
    """Return documents that the LRS keeps."""
    return ExpiredQuery("lrs_documents", {"updated_at": {"$lt": before}})


def ended_cases(before: datetime) -> ExpiredQuery:
    """Return audit cases that ended."""
    end_states = [State.CLOSED.value, State.WITHDRAWN.value, State.SATISFIED_ELSEWHERE.value]
    return ExpiredQuery("audit_cases", {"state": {"$in": end_states}, "closed_at": {"$lt": before}})


def samples(before: datetime) -> ExpiredQuery:
    """Return samples by when they were drawn."""
    return ExpiredQuery("audit_samples", {"drawn_at": {"$lt": before}})


def grants(before: datetime) -> ExpiredQuery:
    """Return support grants that ended."""
    return ExpiredQuery("support_grants", {"expires_at": {"$lt": before}})


def notices(before: datetime) -> ExpiredQuery:
    """Return notices that were settled."""
    return ExpiredQuery("notices", {"created_at": {"$lt": before}, "state": {"$nin": [PENDING, SENDING]}})


def left(before: datetime) -> ExpiredQuery:
    """Return members who left."""
    return ExpiredQuery("members", {"left_at": {"$lt": before}})


def answers(at: datetime) -> ExpiredQuery:
    """Return answers that the database removes by itself, where it is slow to or does not."""
    return ExpiredQuery("idempotency", {"at": {"$lt": at - ANSWERS_KEPT}})


@reaches_store
class Expired:
    """Documents past their retention period, counted and removed."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._evidence = Evidence(database)
        self._key = database.erasure_key
        self._attachments = Attachments(database)
        self._unsent = Unsent(database)
        self._chunks = database.collection("lrs_attachments.chunks")
        self._identifiers = Identifiers(database)

    def _of(self, past: ExpiredQuery) -> Collection[Document]:
        return self._database.collection(past.collection)

    async def count(self, past: ExpiredQuery) -> int:
        """Return how many documents are past their time."""
        return await self._of(past).count_documents(await self._query(past))

    async def _query(self, past: ExpiredQuery) -> Query:
        oldest = await self._unsent.oldest() if past.sent else None
        if oldest is None:
            return past.query
        return {"$and": [past.query, {"lrs.at": {"$lt": int(oldest.timestamp()) * 1_000_000}}]}

    async def remove(self, past: ExpiredQuery) -> int:
        """Remove them; returns how many."""
        return (await self._of(past).delete_many(past.query)).deleted_count

    async def ids(self, past: ExpiredQuery) -> list[str]:
        """Return their ids."""
        return [row["_id"] async for row in self._of(past).find(past.query, {"_id": 1})]

    async def blank(self, past: ExpiredQuery) -> int:
        """Take the text of statements away; what became of each stays."""
        change = {"$set": {"raw": b""}, "$unset": {"about": "", "actor": ""}}
        return (await self._of(past).update_many(past.query, change)).modified_count

    async def forget_parked(self, past: ExpiredQuery) -> int:
        """Forget statements that waited in vain: one that comes again is parked anew."""
        ids = await self.ids(past)
        for start in range(0, len(ids), AT_ONCE):
            batch = ids[start : start + AT_ONCE]
            await self._database.transaction(lambda session, batch=batch: self._forget_parked(batch, session))
        return len(ids)

    async def _forget_parked(self, statement_ids: list[str], session: Session) -> None:
        parked = self._database.collection("parked")
        query = {"_id": {"$in": statement_ids}}
        actors = [row["actor_key"] async for row in parked.find(query, {"actor_key": 1}, session=session)]
        unshared_query = {**query, "disposition": Disposition.PARKED.value, "lrs": None}
        await self._database.collection("statements").delete_many(unshared_query, session=session)
        await parked.delete_many(query, session=session)
        await self._identifiers.forget(actors, session=session)

    async def close_lrs(self, past: ExpiredQuery) -> int:
        """Take statements out of the LRS; one that the worker has settled stays in the ledger."""
        query = await self._query(past)
        settled_query = {**query, "disposition": {"$exists": True}}
        rows = self._of(past).find(settled_query, {"raw": 1, "lrs.keys": 1}, batch_size=TEXTS_AT_ONCE)
        secret, count = await self._key.get(), 0
        while batch := await rows.to_list(TEXTS_AT_ONCE):
            count += (await bulk(self._of(past), [_closing(row, secret) for row in batch])).modified_count
        return count + await self.remove(ExpiredQuery(past.collection, {**query, "disposition": None}))

    async def deleted_entries(self, past: ExpiredQuery) -> list[Document]:
        """Return id and member of the deleted entries that are past their time."""
        rows = self._of(past).find(past.query, {"member_id": 1, "deleted_at": 1})
        return [{**row, "collection": past.collection} async for row in rows]

    async def strip_entry(self, row: Document, at: datetime, session: Session) -> int:
        """Remove a deleted entry with its files; of an automatic one a tombstone stays. One restored since stays."""
        entries = self._database.collection(row["collection"])
        as_deleted = {name: row[name] for name in ("_id", "member_id", "deleted_at")}
        fields = dict.fromkeys((*TOMBSTONE, "provenance.statement_ids"), 1)
        entry = await entries.find_one(as_deleted, fields, session=session)
        if entry is None:
            return 0
        await self._evidence.erase_of_entry(row["member_id"], row["_id"], at, session)
        if entry["source"] == "learning_centre":
            await entries.replace_one(as_deleted, _tombstone(entry), session=session)
        else:
            await entries.delete_one(as_deleted, session=session)
        return 1

    async def remove_cases(self, past: ExpiredQuery) -> int:
        """Remove cases with what was submitted in them, which goes first."""
        cases = await self.ids(past)
        for case_id in cases:
            submitted = ExpiredQuery("submissions", {"case_id": case_id})
            for submission_id in await self.ids(submitted):
                await self.remove(ExpiredQuery("submission_pieces", {"submission_id": submission_id}))
            await self.remove(submitted)
            await self.remove(ExpiredQuery("audit_cases", {"_id": case_id}))
        return len(cases)

    async def orphans(self, before: datetime, *, remove: bool) -> int:
        """Return how many attachments no statement has any more, those of broken-off uploads included."""
        count = 0
        async for sha2 in self._unattached(before):
            count += 1
            if remove:
                await self._attachments.release([sha2])
        loose = [file_id async for file_id in self._without_file(before)]
        if remove:
            await self._chunks.delete_many({"files_id": {"$in": loose}})
        return count + len(loose)

    async def _unattached(self, before: datetime) -> AsyncGenerator[str]:
        files, rows = self._database.collection("lrs_attachments.files"), self._database.collection("statements")
        async for file in files.find({"uploadDate": {"$lt": before}}, {"filename": 1}):
            if await rows.find_one({"lrs.attached.sha2": file["filename"]}, {"_id": 1}) is None:
                yield file["filename"]

    async def _without_file(self, before: datetime) -> AsyncGenerator[str]:
        """Yield the file ids of chunks that were written before a time, as their own ids tell, and have no file."""
        files = self._database.collection("lrs_attachments.files")
        stages: Sequence[Stage] = [
            {"$match": {"_id": {"$lt": ObjectId.from_datetime(before)}}},
            {"$group": {"_id": "$files_id"}},
        ]
        async for group in self._chunks.aggregate(stages):
            if await files.find_one({"_id": group["_id"]}, {"_id": 1}) is None:
                yield group["_id"]


def _closing(row: Document, secret: bytes) -> UpdateOne:
    """Take a statement out of the LRS; who is named is found from now on as in what the queue alone brought.

    A row from which an erasure took somebody meanwhile is left for the next time.
    """
    about = mentions(secret, people(orjson.loads(row["raw"])))
    as_read = {"_id": row["_id"], "lrs.keys": row["lrs"]["keys"]}
    return UpdateOne(as_read, {"$set": {"about": about}, "$unset": {"lrs": ""}})


def _tombstone(row: Document) -> Document:
    fields = {name: row[name] for name in TOMBSTONE if name in row}
    return {**fields, "provenance": {"statement_ids": row["provenance"]["statement_ids"]}, "purged": True}
