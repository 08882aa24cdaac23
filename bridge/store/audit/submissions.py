"""Submissions for the Register Audit: what is in scope, the immutable snapshot, and the marks of a freeze."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeVar

from bridge.domain.audit.snapshots import Scope, SnapshotPiece, StoredSubmission
from bridge.domain.members.members import Freeze, StoredMember
from bridge.domain.record.comments import StoredComment
from bridge.domain.record.entries import StoredEntry
from bridge.domain.record.files import EvidenceFile
from bridge.domain.record.plan import StoredPlanItem
from bridge.store.database import Change, Collection, Database, Query, Session, reaches_store
from bridge.store.listing import up_to
from bridge.store.record.evidence import Evidence
from bridge.store.record.records import LISTED

PIECE = 2**20
"""Bytes of a piece of the snapshot: a record has no size limit (R43), a document has one."""

D = TypeVar("D", bound=Mapping[str, object])


@reaches_store
class Submissions:
    """The collections ``submissions`` and ``submission_pieces``; both are written once and never changed."""

    def __init__(self, database: Database) -> None:
        self._submissions = database.collection("submissions", StoredSubmission)
        self._pieces = database.collection("submission_pieces", SnapshotPiece)

    async def add(self, submission: StoredSubmission, text: bytes, session: Session) -> None:
        """Keep a submission and its canonical text."""
        await self._submissions.insert_one(submission, session=session)
        receipt, member_id = submission["_id"], submission["member_id"]
        pieces = [
            SnapshotPiece(
                _id=f"{receipt}:{n}", submission_id=receipt, member_id=member_id, n=n, data=text[start : start + PIECE]
            )
            for n, start in enumerate(range(0, len(text), PIECE))
        ]
        await self._pieces.insert_many(pieces, session=session)

    async def get(self, member_id: str, submission_id: str, session: Session | None = None) -> StoredSubmission | None:
        """Return a submission's receipt, digest and counts, or None."""
        return await self._submissions.find_one({"_id": submission_id, "member_id": member_id}, session=session)

    async def text(self, member_id: str, submission_id: str) -> bytes:
        """Return the canonical text of a submission."""
        query = {"submission_id": submission_id, "member_id": member_id}
        return b"".join([piece["data"] async for piece in self._pieces.find(query).sort("n", 1)])


@reaches_store
class Freezes:
    """The scope of a period's submission, read, frozen and thawed (decision 1, R56)."""

    def __init__(self, database: Database) -> None:
        self._log = database.collection("log_entries", StoredEntry)
        self._plan = database.collection("plan_items", StoredPlanItem)
        self._comments = database.collection("comments", StoredComment)
        self._files = database.collection("evidence.files", EvidenceFile)
        self._evidence = Evidence(database)
        self._members = database.collection("members", StoredMember)

    async def scope(self, member_id: str, start: str, end: str, session: Session | None = None) -> Scope:
        """Return what lies in a period, by its first and last day: entries by their date, and what goes with them."""
        listed_query: Query = {"member_id": member_id, **LISTED}
        dated_query = {**listed_query, "order.date.empty": False, "order.date.key": up_to(end, start)}
        log = await _rows(self._log, dated_query, "order.date.key", session)
        linked_ids = sorted({plan_id for entry in log for plan_id in entry["plan_ids"]})
        in_period = {"span.first": {"$lte": end}, "span.last": {"$gte": start}}
        plan = await _rows(
            self._plan, {**listed_query, "$or": [in_period, {"_id": {"$in": linked_ids}}]}, "created_at", session
        )
        of_period = {"member_id": member_id, "day": {"$gte": start, "$lte": end}}
        comments = await _rows(self._comments, of_period, "order.created_at.key", session)
        files = await self._evidence.of_entries(member_id, [entry["_id"] for entry in log], session)
        return Scope(log, plan, comments, files)

    async def undated(self, member_id: str) -> int:
        """Return how many of a member's plan items have no dates, so that no period takes them."""
        return await self._plan.count_documents({"member_id": member_id, **LISTED, "span": None})

    async def freeze(self, member_id: str, scope: Scope, mark: Freeze, session: Session) -> None:
        """Mark everything in a scope as frozen, and the member's period with it, so that nothing is added either."""
        for collection, ids in (
            (self._log, scope.log_ids), (self._plan, scope.plan_ids), (self._files, scope.file_ids)
        ):  # fmt: skip
            frozen = {name: mark[name] for name in ("case_id", "period_id", "since")}
            query = {"_id": {"$in": ids}, "member_id": member_id}
            await collection.update_many(query, {"$set": {"frozen": frozen}, "$inc": {"version": 1}}, session=session)
        await self._touch(member_id, {"$push": {"frozen": mark}}, session)

    async def thaw(self, member_id: str, case_id: str, session: Session) -> None:
        """Take the marks of a case off again."""
        for collection in (self._log, self._plan, self._files):
            query = {"member_id": member_id, "frozen.case_id": case_id}
            await collection.update_many(query, {"$unset": {"frozen": ""}, "$inc": {"version": 1}}, session=session)
        await self._touch(member_id, {"$pull": {"frozen": {"case_id": case_id}}}, session)

    async def _touch(self, member_id: str, change: Change, session: Session) -> None:
        """Change the member's freezes."""
        await self._members.update_one({"_id": member_id}, {**change, "$inc": {"version": 1}}, session=session)


async def _rows(collection: Collection[D], query: Query, order: str, session: Session | None) -> list[D]:
    rows = collection.find(query, {"tokens": 0}, session=session).sort([(order, 1), ("_id", 1)])
    return [row async for row in rows]
