"""The Register Audit as the member sees it: their cases, submitting, asking for more time, and what is missing."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import date
from typing import TypedDict

from bridge.domain.audit import (
    AWAITED,
    CaseFilter,
    MemberCase,
    Move,
    ReadinessReport,
    State,
    StoredCase,
    StoredDeclaration,
    StoredExtension,
    StoredSubmission,
    accept_declarations,
    case_for_member,
    cases,
)
from bridge.errors import Conflict, FieldError, NotFound, NotSelected, ValidationFailed
from bridge.services.audit.submissions import AuditSubmissions
from bridge.services.unit_of_work import Attempt, UnitOfWork, UnitsOfWork
from bridge.store import Listing, Position, Session, Sort, Stores
from bridge.texts import Text

_NEWEST_FIRST: Sort = [("selected_at", True)]


class CaseReadiness(ReadinessReport):
    """What an assessor will find missing in the year of a case."""

    case_id: str
    period_id: str


class SubmissionResult(TypedDict):
    """A submission, and whether it was made now rather than before."""

    submission: StoredSubmission
    new: bool


class MemberAudit:
    """What a member may do in a case; ``today`` gives the local day."""

    def __init__(
        self, stores: Stores, units: UnitsOfWork, submissions: AuditSubmissions, today: Callable[[], date]
    ) -> None:
        self._stores = stores
        self._units = units
        self._submissions = submissions
        self._today = today

    async def cases_of(self, member_id: str) -> list[StoredCase]:
        """Return a member's cases as stored, newest first: what ``domain.audit.actions`` decides by."""
        return await self._stores.cases.of_member(member_id)

    async def list(self, member_id: str, limit: int, after: Position | None) -> Listing[MemberCase]:
        """Return a page of the member's cases as shown, newest first."""
        page = await self._stores.cases.list(CaseFilter(member_id=member_id), _NEWEST_FIRST, limit, after)
        return Listing([case_for_member(case) for case in page.items], page.next, page.total)

    async def submit(
        self, member_id: str, case_id: str, accepted: Mapping[str, bool], language: str, attempt: Attempt | None
    ) -> tuple[StoredSubmission, bool]:
        """Submit a case's period; returns the submission, and whether it was made now rather than before (R55).

        ``language`` is the one that the member has read the declarations in.
        Raises ``NotSelected`` without a case, or for one that has ended, ``NotFound`` when the id is of no case of the
        member's, and ``ValidationFailed`` unless every declaration is accepted.
        """

        async def work(unit: UnitOfWork) -> SubmissionResult:
            case = await self._own(member_id, case_id, unit.session)
            if case["state"] == State.SUBMITTED:
                return {"submission": await self._submissions.last_of(case, unit.session), "new": False}
            cases.after(case["state"], Move.SUBMIT)
            return {
                "submission": await self._submit(unit, case, accept_declarations(accepted, language, unit.at)),
                "new": True,
            }

        answer = await self._units.run(member_id, work, attempt)
        return answer["submission"], answer["new"]

    async def ask_extension(
        self, member_id: str, case_id: str, until: date, reason: str, attempt: Attempt | None
    ) -> StoredExtension:
        """Ask for a later due date; returns the request. Raises as ``submit`` does, for one that is no later."""

        async def ask(unit: UnitOfWork) -> StoredExtension:
            case = await self._own(member_id, case_id, unit.session)
            self._check_extension(case, until)
            extension: StoredExtension = {
                "until": until.isoformat(), "reason": reason, "asked_at": unit.at, "decision": None
            }  # fmt: skip
            request = cases.with_step(case, "ask_extension", member_id, unit.at)
            request["extensions"] = [*case["extensions"], extension]
            await self._stores.cases.save(case, request, unit.session)
            return extension

        return await self._units.run(member_id, ask, attempt)

    async def readiness(self, member_id: str, case_id: str) -> CaseReadiness:
        """Return what an assessor will find missing in a case's period; raises ``NotFound`` or ``NotSelected``."""
        case = await self._own(member_id, case_id)
        return {"case_id": case_id, "period_id": case["period_id"], **await self._submissions.readiness(case)}

    async def _own(self, member_id: str, case_id: str, session: Session | None = None) -> StoredCase:
        own_cases = await self._stores.cases.of_member(member_id, session)
        case = next((case for case in own_cases if case["_id"] == case_id), None)
        going_on = any(map(cases.is_open, own_cases))
        if case is None and going_on:
            raise NotFound(Text("You have no such audit case."))
        if case is None:
            raise NotSelected(Text("You are not selected for the Register Audit, so there is nothing to submit."))
        if not cases.is_open(case):
            raise NotSelected(Text("This audit case has ended; there is nothing more to do in it."))
        return case

    async def _submit(
        self, unit: UnitOfWork, case: StoredCase, declarations: list[StoredDeclaration]
    ) -> StoredSubmission:
        submission = await self._submissions.submit(unit, case, declarations)
        receipt = submission["_id"]
        submitted = cases.submitted(case, receipt, declarations, unit.at)
        await self._stores.cases.save(case, submitted, unit.session)
        await unit.announce(cases.announcement(State.SUBMITTED), receipt, cases.event_data(submitted))
        return submission

    def _check_extension(self, case: StoredCase, until: date) -> None:
        if case["state"] not in AWAITED:
            raise Conflict(Text("You have submitted already: nothing is due from you, so there is nothing to extend."))
        if cases.pending_extension(case):
            raise Conflict(Text("You have asked for more time already, and the Register team has not decided yet."))
        if until <= max(cases.due_of(case), self._today()):
            message = Text("Give a day after the due date ({day}) and after today.", day=cases.due_of(case))
            raise ValidationFailed(message, field_errors=[FieldError("/until", Text("Until"), message)])
