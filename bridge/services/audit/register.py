"""The Register team's side of a case: the register, and deciding (R57)."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, timedelta
from functools import partial

from bridge.domain.audit import (
    AWAITED,
    EXTENSIONS,
    MOVES,
    AuditRules,
    CaseFilter,
    Decision,
    State,
    StoredCase,
    StoredExtension,
    StoredSubmission,
    cases,
)
from bridge.errors import Conflict, FieldError, NotFound, ValidationFailed
from bridge.services.audit.submissions import AuditSubmissions
from bridge.services.statements.follow_ups import FollowUpRunner
from bridge.services.unit_of_work import Attempt, UnitOfWork, UnitsOfWork
from bridge.store import Listing, Position, Sort, Stores


class CaseWithSubmission(StoredCase):
    """A case with what was submitted last."""

    submission: StoredSubmission | None


class Register:
    """Cases and their decisions; ``today`` gives the local day."""

    def __init__(
        self,
        stores: Stores,
        units: UnitsOfWork,
        submissions: AuditSubmissions,
        follow_ups: FollowUpRunner,
        settings: AuditRules,
        today: Callable[[], date],
    ) -> None:
        self._stores = stores
        self._units = units
        self._submissions = submissions
        self._follow_ups = follow_ups
        self._settings = settings
        self._today = today

    async def list(
        self, case_filter: CaseFilter, sort: Sort, limit: int, after: Position | None
    ) -> Listing[StoredCase]:
        """Return a page of cases; nothing in a case is part of the member's record."""
        return await self._stores.cases.list(case_filter, sort, limit, after)

    async def get(self, case_id: str) -> CaseWithSubmission:
        """Return one case, with the digest and counts of what was submitted last; raises ``NotFound``."""
        case = await self._stores.cases.get(case_id)
        if case is None:
            raise NotFound("There is no such audit case.")
        return await self._with_submission(case)

    async def decide(self, case_id: str, decision: Decision, by: str, attempt: Attempt | None) -> CaseWithSubmission:
        """Carry out a decision; returns the case then. Raises ``NotFound``, ``ValidationFailed`` or ``Conflict``."""
        case = await self.get(case_id)
        if errors := [*cases.errors_in(decision, self._settings.outcomes, self._today())]:
            raise ValidationFailed("See errors for each field.", field_errors=errors)
        work = partial(self._decide, case_id=case_id, decision=decision, by=by)
        decided_case = await self._units.run(case["member_id"], work, attempt)
        await self._follow_ups.run_for_a_while(case["member_id"])
        return await self._with_submission(decided_case)

    async def _with_submission(self, case: StoredCase) -> CaseWithSubmission:
        return {**case, "submission": await self._submissions.last_of(case) if case["receipt"] else None}

    async def _decide(self, unit: UnitOfWork, case_id: str, decision: Decision, by: str) -> StoredCase:
        case = await self._stores.cases.get(case_id, unit.session)
        assert case is not None, "cases are not removed"
        if decision.decision in EXTENSIONS:
            return await self._decide_extension(unit, case, decision, by)
        return await self._move(unit, case, decision, by)

    async def _move(self, unit: UnitOfWork, case: StoredCase, decision: Decision, by: str) -> StoredCase:
        move, today = MOVES[decision.decision], self._today()
        state = cases.after(case["state"], move)
        await self._submissions.thaw(unit, case)
        if state is State.RETURNED:
            due_date = decision.due_date or max(cases.due_of(case), today + timedelta(days=self._settings.return_days))
            moved_case = cases.returned(case, due_date, by, unit.at, today)
        else:
            moved_case = cases.ended(case, move, decision.outcome, by, unit.at)
            await unit.set_audit_years(cases.years_without(unit.member, case))
        if decision.feedback:
            moved_case["feedback"] = decision.feedback
        saved_case = await self._stores.cases.save(case, moved_case, unit.session)
        key = f"{saved_case['_id']}:{saved_case['version']}"
        await unit.announce(cases.announcement(state), key, cases.event_data(saved_case))
        return saved_case

    async def _decide_extension(self, unit: UnitOfWork, case: StoredCase, decision: Decision, by: str) -> StoredCase:
        request = cases.pending_extension(case)
        if request is None or case["state"] not in AWAITED:
            raise Conflict("There is no request for more time to decide on in this case.")
        answer = EXTENSIONS[decision.decision]
        answered_request: StoredExtension = {
            **request, "decision": answer, "decided_at": unit.at, "feedback": decision.feedback
        }  # fmt: skip
        decided_case = cases.with_step(case, decision.decision, by, unit.at)
        decided_case["extensions"] = [
            answered_request if extension is request else extension for extension in case["extensions"]
        ]
        if answer == "granted":
            due_date = decision.due_date or date.fromisoformat(request["until"])
            if due_date <= cases.due_of(case):
                message = f"An extension has to be later than the due date ({case['due_date']})."
                raise ValidationFailed(message, field_errors=[FieldError("/due_date", "Due date", message)])
            decided_case = cases.with_due_date(decided_case, due_date, self._today())
        return await self._stores.cases.save(case, decided_case, unit.session)
