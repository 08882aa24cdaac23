"""What the Register team reads of a submission: by the case's right alone, each read noted before it leaves (R62)."""

from __future__ import annotations

from collections.abc import AsyncGenerator

from bridge.domain.audit import READABLE, StoredSubmission
from bridge.domain.privacy import Reader, Right
from bridge.domain.record import EvidenceFile
from bridge.errors import NotFound
from bridge.services.access.access_log import AccessHistory
from bridge.services.audit.submissions import AuditSubmissions
from bridge.services.record.evidence import MemberEvidence
from bridge.store import Stores


class SubmissionReview:
    """Reads submissions while they may be read, for staff."""

    def __init__(
        self, stores: Stores, submissions: AuditSubmissions, access: AccessHistory, evidence: MemberEvidence
    ) -> None:
        self._stores = stores
        self._submissions = submissions
        self._access = access
        self._evidence = evidence

    async def record(self, case_id: str, reader: Reader) -> tuple[StoredSubmission, bytes]:
        """Return a case's submission and its canonical text, once the read is noted; raises ``NotFound``."""
        submission = await self._readable(case_id)
        await self._record_read(reader, submission, ("submission",))
        return submission, await self._submissions.text(submission)

    async def evidence(
        self, case_id: str, evidence_id: str, reader: Reader
    ) -> tuple[EvidenceFile, AsyncGenerator[bytes]]:
        """Return a submitted file and its content, once the read is noted; raises ``NotFound``, or ``Conflict``."""
        submission = await self._readable(case_id)
        if evidence_id not in submission["evidence"]:
            raise NotFound("There is no such file in this submission.")
        file = await self._evidence.content(submission["member_id"], evidence_id)
        await self._record_read(reader, submission, ("evidence",), evidence_id)
        return file

    async def _readable(self, case_id: str) -> StoredSubmission:
        """Return the submission that the case gives a right to at this moment; raises ``NotFound``."""
        case = await self._stores.cases.get(case_id)
        if case is None or case["state"] not in READABLE:
            raise NotFound("There is nothing to read in this case: a record is shown while it is submitted.")
        return await self._submissions.last_of(case)

    async def _record_read(
        self, reader: Reader, submission: StoredSubmission, parts: tuple[str, ...], item: str | None = None
    ) -> None:
        """Note a read; raises ``NotFound`` when the right to this submission ended meanwhile."""
        right = Right("audit_case", submission["case_id"])
        await self._access.record_read(reader, submission["member_id"], right, parts, item)
        if (await self._readable(submission["case_id"]))["_id"] != submission["_id"]:
            raise NotFound("This was taken back while the read was noted, and something else submitted: read that.")
