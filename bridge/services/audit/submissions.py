"""Submissions to the Register team: snapshot and freeze in one transaction, and the freeze's end (R55-R60).

The transaction touches the member first, as every change does; so no edit, link, comment, upload or completion overlaps
it, and what is frozen is exactly what was sent (invariant 4).
"""

from __future__ import annotations

import base64
import uuid

from bridge.domain.audit import (
    FROZEN,
    ReadinessReport,
    Scope,
    StoredCase,
    StoredDeclaration,
    StoredSubmission,
    cases,
    snapshots,
)
from bridge.domain.forms import Forms
from bridge.errors import BridgeError
from bridge.services.unit_of_work import UnitOfWork
from bridge.store import Session, Stores


class Tampered(BridgeError):
    """A snapshot is not what its digest says; it is not shown."""

    title = "This submission is damaged"


class AuditSubmissions:
    """Freezes what is submitted, keeps it, and lets it go."""

    def __init__(self, stores: Stores, forms: Forms) -> None:
        self._stores = stores
        self._forms = forms

    async def submit(
        self, unit: UnitOfWork, case: StoredCase, declarations: list[StoredDeclaration]
    ) -> StoredSubmission:
        """Take the snapshot of a case's period and freeze its scope; returns the submission: its id is the receipt."""
        member_id, session = unit.member_id, unit.session
        scope = await self._scope(unit, case)
        receipt = _receipt()
        whole = snapshots.snapshot(case, receipt, unit.member, declarations, unit.at, scope, self._forms)
        text = snapshots.canonical(whole)
        submission: StoredSubmission = {
            "_id": receipt,
            "member_id": member_id,
            "case_id": case["_id"],
            "submitted_at": unit.at,
            "digest": snapshots.digest(text),
            "counts": scope.counts(),
            "evidence": {file["id"]: file["sha256"] for files in scope.files.values() for file in files},
        }
        await self._stores.submissions.add(submission, text, session)
        await self._stores.freezes.freeze(member_id, scope, cases.case_freeze(case, unit.at), session)
        return submission

    async def _scope(self, unit: UnitOfWork, case: StoredCase) -> Scope:
        """Return what a case covers, each entry in its period: a calendar that moved may not have come to it yet."""
        days = (unit.member_id, case["start"], case["end"])
        scope = await self._stores.freezes.scope(*days, unit.session)
        elsewhere = [entry for entry in scope.log if entry.get("period_id") != case["period_id"]]
        if not elsewhere:
            return scope
        await unit.save_entries([(entry, {**entry, "period_id": case["period_id"]}) for entry in elsewhere])
        return await self._stores.freezes.scope(*days, unit.session)

    async def thaw(self, unit: UnitOfWork, case: StoredCase) -> None:
        """End a case's freeze, in the unit of work that moves it on; what was held becomes drafts then (decision 4)."""
        if case["state"] in FROZEN:
            await self._stores.freezes.thaw(unit.member_id, case["_id"], unit.session)
            await self._stores.follow_ups.add(unit.member_id, unit.at, unit.session)

    async def last_of(self, case: StoredCase, session: Session | None = None) -> StoredSubmission:
        """Return the last submission of a case that has one."""
        submission = await self._stores.submissions.get(case["member_id"], case["receipt"] or "", session)
        assert submission is not None, "a receipt is a submission's id: both are written in one transaction"
        return submission

    async def text(self, submission: StoredSubmission) -> bytes:
        """Return the canonical text of a submission; raises ``Tampered`` when it does not match its digest."""
        text = await self._stores.submissions.text(submission["member_id"], submission["_id"])
        if snapshots.digest(text) != submission["digest"]:
            raise Tampered
        return text

    async def readiness(self, case: StoredCase) -> ReadinessReport:
        """Return what an assessor would find missing if the case's period were submitted now."""
        member_id = case["member_id"]
        scope = await self._stores.freezes.scope(member_id, case["start"], case["end"])
        counts = await self._stores.waiting.count_held(member_id)
        waiting_count = sum(n for period_id, n in counts.items() if case["start"] <= period_id <= case["end"])
        return snapshots.readiness(scope, self._forms, waiting_count, await self._stores.freezes.undated(member_id))


def _receipt() -> str:
    """Return a receipt number that can be read out: 26 letters and digits without those that look alike."""
    return base64.b32encode(uuid.uuid4().bytes).decode().rstrip("=")
