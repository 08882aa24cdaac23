"""The Register team's side of a case: reading what was submitted, and deciding (R57, R62)."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any, Final

from bridge.domain.audit import cases as rules
from bridge.domain.audit.cases import AWAITED, READABLE, Move, State
from bridge.domain.privacy.access import Reader, Right
from bridge.errors import Conflict, FieldFault, NotFound, ValidationFailed
from bridge.services.access.access_log import AccessHistory
from bridge.services.audit.audit_years import release_year
from bridge.services.audit.cases import event_data
from bridge.services.audit.selection import AuditRules, said
from bridge.services.audit.submissions import Submissions
from bridge.services.idempotency import Attempt, once
from bridge.services.record.evidence import MemberEvidence
from bridge.services.statements.follow_ups import FollowUps
from bridge.services.stores import Stores
from bridge.services.unit_of_work import Act, Acts
from bridge.store.audit.cases import CaseFilter
from bridge.store.listing import Listing, Sort

Document = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Decision:
    """What the Register team decides; which of the rest belongs to it depends on ``decision``."""

    decision: str
    outcome: str | None = None
    feedback: str | None = None
    due_date: date | None = None


MOVES: Final = {
    "return": Move.RETURN,
    "close": Move.CLOSE,
    "withdraw": Move.WITHDRAW,
    "satisfied_elsewhere": Move.SATISFIED_ELSEWHERE,
}
EXTENSIONS: Final = {"grant_extension": "granted", "decline_extension": "declined"}
DATED: Final = frozenset({"return", "grant_extension"})
ANNOUNCED: Final = {State.RETURNED: "audit.returned"}
"""Every other end of a submission is ``audit.closed``; the event's ``state`` says which."""


class Register:
    """Cases and their decisions; ``today`` gives the local day."""

    def __init__(
        self,
        stores: Stores,
        acts: Acts,
        submissions: Submissions,
        follow_ups: FollowUps,
        access: AccessHistory,
        evidence: MemberEvidence,
        settings: AuditRules,
        today: Callable[[], date],
    ) -> None:
        self._stores = stores
        self._acts = acts
        self._submissions = submissions
        self._follow_ups = follow_ups
        self._access = access
        self._evidence = evidence
        self._settings = settings
        self._today = today

    async def list(self, wanted: CaseFilter, sort: Sort, limit: int, after: list[Any] | None) -> Listing:
        """Return a page of cases; nothing in a case is part of the member's record."""
        return await self._stores.cases.list(wanted, sort, limit, after)

    async def get(self, case_id: str) -> Document:
        """Return one case, with the digest and counts of what was submitted last; raises ``NotFound``."""
        case = await self._stores.cases.get(case_id)
        if case is None:
            raise NotFound("There is no such audit case.")
        return await self._with_submission(case)

    async def record(self, case_id: str, reader: Reader) -> tuple[Document, bytes]:
        """Return a case's submission and its canonical text, once the read is noted; raises ``NotFound``."""
        submission = await self._readable(case_id)
        await self._noted(reader, submission, ("submission",))
        return submission, await self._submissions.text(submission)

    async def evidence(self, case_id: str, evidence_id: str, reader: Reader) -> tuple[Document, AsyncGenerator[bytes]]:
        """Return a submitted file and its content, once the read is noted; raises ``NotFound``, or ``Conflict``."""
        submission = await self._readable(case_id)
        if evidence_id not in submission["evidence"]:
            raise NotFound("There is no such file in this submission.")
        found = await self._evidence.content(submission["member_id"], evidence_id)
        await self._noted(reader, submission, ("evidence",), evidence_id)
        return found

    async def decide(self, case_id: str, made: Decision, by: str, attempt: Attempt | None) -> Document:
        """Carry out a decision and return the case as it was then.

        Raises ``NotFound``, ``ValidationFailed`` or ``Conflict``.
        """
        case = await self.get(case_id)
        self._check(made)

        async def work(act: Act) -> Document:
            return await once(act, attempt, lambda: self._decide(act, case_id, made, by))

        decided = await self._acts.run(case["member_id"], work)
        await self._follow_ups.run_for_a_while(case["member_id"])
        return await self._with_submission(decided)

    async def _with_submission(self, case: Document) -> Document:
        return {**case, "submission": case["receipt"] and await self._submission(case)}

    async def _submission(self, case: Document) -> Document:
        submission = await self._stores.submissions.get(case["member_id"], case["receipt"])
        assert submission is not None, "a receipt is a submission's id: both are written in one act"
        return submission

    async def _readable(self, case_id: str) -> Document:
        """Return the submission that the case gives a right to at this moment; raises ``NotFound``."""
        case = await self._stores.cases.get(case_id)
        if case is None or case["state"] not in READABLE:
            raise NotFound("There is nothing to read in this case: a record is shown while it is submitted.")
        return await self._submission(case)

    async def _noted(
        self, reader: Reader, submission: Document, parts: tuple[str, ...], item: str | None = None
    ) -> None:
        """Note a read; raises ``NotFound`` when the right to this submission ended meanwhile."""
        right = Right("audit_case", submission["case_id"])
        await self._access.read(reader, submission["member_id"], right, parts, item)
        if (await self._readable(submission["case_id"]))["_id"] != submission["_id"]:
            raise NotFound("This was taken back while the read was noted, and something else submitted: read that.")

    def _check(self, made: Decision) -> None:
        """Raise ``ValidationFailed`` for what a decision needs and lacks, or has and does not take."""
        faults: list[FieldFault] = []
        if made.decision == "close" and made.outcome not in self._settings.outcomes:
            faults.append(said("outcome", "Outcome", f"Closing needs one of: {', '.join(self._settings.outcomes)}."))
        if made.decision != "close" and made.outcome is not None:
            faults.append(said("outcome", "Outcome", "Only closing has an outcome: leave it out."))
        if made.decision == "return" and not (made.feedback or "").strip():
            faults.append(said("feedback", "Feedback", "Returning needs feedback: say what the member is to change."))
        if made.decision not in DATED and made.due_date is not None:
            faults.append(said("due_date", "Due date", "Only a return or an extension sets a due date: leave it out."))
        if made.due_date is not None and made.due_date < self._today():
            faults.append(said("due_date", "Due date", "Give today or a later day."))
        if faults:
            raise ValidationFailed("See errors for each field.", faults=faults)

    async def _decide(self, act: Act, case_id: str, made: Decision, by: str) -> Document:
        case = await self._stores.cases.get(case_id, act.session)
        assert case is not None, "cases are not removed"
        if made.decision in EXTENSIONS:
            return await self._decide_extension(act, case, made, by)
        return await self._move(act, case, made, by)

    async def _move(self, act: Act, case: Document, made: Decision, by: str) -> Document:
        move = MOVES[made.decision]
        state = rules.after(case["state"], move)
        fields: Document = {"state": state.value, **({"feedback": made.feedback} if made.feedback else {})}
        await self._submissions.thaw(act, case)
        unset: Document = {}
        if state is State.RETURNED:
            due = made.due_date or max(rules.due_of(case), self._today() + timedelta(days=self._settings.return_days))
            fields |= {"returned_at": act.at, **rules.due_on(due, self._today())}
        else:
            fields |= {"closed_at": act.at, "outcome": made.outcome}
            unset = {"$unset": {"open": ""}}
            await release_year(act, case)
        change = {"$set": fields, "$push": {"history": rules.step(move, by, act.at)}, **unset}
        case = await self._stores.cases.change(case, change, act.session)
        await act.announce(ANNOUNCED.get(state, "audit.closed"), f"{case['_id']}:{case['version']}", event_data(case))
        return case

    async def _decide_extension(self, act: Act, case: Document, made: Decision, by: str) -> Document:
        asked = rules.pending_extension(case)
        if asked is None or case["state"] not in AWAITED:
            raise Conflict("There is no request for more time to decide on in this case.")
        decision = EXTENSIONS[made.decision]
        decided = {**asked, "decision": decision, "decided_at": act.at, "feedback": made.feedback}
        fields: Document = {"extensions": [decided if one is asked else one for one in case["extensions"]]}
        if decision == "granted":
            due = made.due_date or date.fromisoformat(asked["until"])
            if due <= rules.due_of(case):
                message = f"An extension has to be later than the due date ({case['due_date']})."
                raise ValidationFailed(message, faults=[said("due_date", "Due date", message)])
            fields |= rules.due_on(due, self._today())
        change = {"$set": fields, "$push": {"history": rules.step(made.decision, by, act.at)}}
        return await self._stores.cases.change(case, change, act.session)
