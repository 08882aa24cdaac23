"""Who is in the Register Audit: single cases, and random samples that can be drawn again (R53, Audit facts)."""

from __future__ import annotations

import secrets
import uuid
from collections.abc import Callable
from datetime import date, timedelta

from bridge.domain.audit import (
    AuditRules,
    CaseDays,
    SampledMember,
    SampleRequest,
    State,
    StoredCase,
    StoredSample,
    Window,
    cases,
    sampling,
)
from bridge.domain.members import MembershipYear
from bridge.errors import Conflict, FieldError, NotFound, ValidationFailed
from bridge.services.unit_of_work import Attempt, UnitOfWork, UnitsOfWork
from bridge.store import Stores, now


class SampleResult(StoredSample):
    """A sample, and what was done with it."""

    dry_run: bool
    cases: list[StoredCase]


class AuditSelection:
    """Opens cases; ``today`` gives the local day."""

    def __init__(self, stores: Stores, units: UnitsOfWork, settings: AuditRules, today: Callable[[], date]) -> None:
        self._stores = stores
        self._units = units
        self._settings = settings
        self._today = today

    async def select(
        self, member_id: str, period_id: str, due_date: date | None, by: str, attempt: Attempt | None
    ) -> StoredCase:
        """Open a case; raises ``ValidationFailed`` for a member not on the Register, ``Conflict`` for one in a case."""
        if due_date is not None and due_date < self._today():
            raise _error("due_date", "Due date", "Give today or a later day.")
        case_due_date = due_date or self._today() + timedelta(days=self._settings.due_days)
        case_id = str(uuid.uuid4())

        async def open_case(unit: UnitOfWork) -> StoredCase:
            return await self._open(unit, case_id, self._selected_period(unit, period_id), case_due_date, by, None)

        try:
            return await self._units.run(member_id, open_case, attempt)
        except NotFound:
            raise _not_registered() from None

    def _selected_period(self, unit: UnitOfWork, period_id: str) -> MembershipYear:
        """Return the member's year with this id, as their calendar is in the unit; raises ``ValidationFailed``."""
        if not unit.member["registered"] or unit.member.get("left_at"):
            raise _not_registered()
        period = unit.calendar.period_by_id(period_id)
        if period is None or period.start > self._today():
            raise _error("period_id", "Period", "The member has no such membership year, or it has not begun.")
        return period

    async def sample(
        self, request: SampleRequest, by: str, attempt: Attempt | None = None, *, dry_run: bool
    ) -> SampleResult:
        """Draw a sample and open its cases; a dry run only draws. The same seed and window give the recorded sample.

        Calling again completes a sample that was broken off, and never opens a case twice. Raises ``Conflict`` when
        the attempt's key came with another body; a dry run takes no key.
        """
        seed = request.seed or (sampling.seed_of(by, attempt.key) if attempt else secrets.token_hex(16))
        sample_id = request.sample_id(seed)
        stored_sample = await self._stores.samples.get(sample_id)
        sample = stored_sample or await self._draw(sample_id, seed, request, by)
        if dry_run:
            return {**sample, "dry_run": True, "cases": []}
        await self._units.claim_key(attempt)
        sample = await self._stores.samples.keep(sample)
        due_date = self._today() + timedelta(days=self._settings.due_days)
        opened_cases = [await self._open_sampled(row, sample, due_date, by) for row in sample["selected"]]
        return {**sample, "dry_run": False, "cases": [case for case in opened_cases if case]}

    async def get_sample(self, sample_id: str) -> StoredSample:
        """Return how a sample was drawn, with its population; raises ``NotFound``."""
        sample = await self._stores.samples.get(sample_id)
        if sample is None:
            raise NotFound("There is no such sample.")
        return sample

    async def _open(
        self, unit: UnitOfWork, case_id: str, period: MembershipYear, due_date: date, by: str, sample_id: str | None
    ) -> StoredCase:
        reviewed_cases = await self._stores.cases.of_member(unit.member_id, unit.session)
        days = cases.case_days(period)
        if any(cases.overlap(days, case) and case["state"] != State.WITHDRAWN for case in reviewed_cases):
            raise Conflict("This membership year of the member is in an audit case already.")
        if any(map(cases.is_open, reviewed_cases)):
            raise Conflict("The member is in an audit case that goes on; a second one would have to wait for its end.")
        case = cases.new_case(
            case_id, unit.member_id, period, due_date, by=by, at=unit.at, sample_id=sample_id, today=self._today()
        )
        await self._stores.cases.add(case, unit.session)
        await unit.set_audit_years(cases.years_with(unit.member, case))
        await unit.announce(cases.announcement(State.SELECTED), case_id, cases.event_data(case))
        return case

    async def _draw(self, sample_id: str, seed: str, request: SampleRequest, by: str) -> StoredSample:
        population = await self._population(request.window, sample_id)
        size = sampling.size_of(len(population), request.rate_or(self._settings.rate), request.count)
        selected_ids = sampling.draw(seed, population, size)
        window = request.window
        return {
            "_id": sample_id,
            "seed": seed,
            "renewal_from": window.renewal_from.isoformat(),
            "renewal_to": window.renewal_to.isoformat(),
            "minimum_months_registered": window.minimum_months,
            "rate": request.rate_or(self._settings.rate),
            "count": request.count,
            "population_size": len(population),
            "population_digest": sampling.population_digest(population),
            "population": sorted(population),
            "selected": [
                {"member_id": member_id, "case_id": sampling.case_id(sample_id, member_id), **population[member_id]}
                for member_id in selected_ids
            ],
            "drawn_at": now(),
            "drawn_by": by,
        }

    async def _population(self, window: Window, sample_id: str) -> dict[str, CaseDays]:
        """Return member id → the membership year to audit, for all who may be drawn."""
        years: dict[str, CaseDays] = {}
        for member in await self._stores.samples.registered():
            period = sampling.drawable_period(member, window, self._today())
            if period is not None:
                years[member["_id"]] = cases.case_days(period)
        busy = await self._stores.cases.members_in(years, sample_id)
        reviewed_cases = await self._stores.cases.reviewed(sample_id)
        return {
            member_id: period
            for member_id, period in years.items()
            if member_id not in busy
            and not any(cases.overlap(period, case) for case in reviewed_cases.get(member_id, ()))
        }

    async def _open_sampled(
        self, row: SampledMember, sample: StoredSample, due_date: date, by: str
    ) -> StoredCase | None:
        """Open a drawn member's case, or return the one that was opened before; None when the member is in another."""
        case = await self._stores.cases.get(row["case_id"])
        if case is not None:
            return case
        period = cases.year_of(row)

        async def work(unit: UnitOfWork) -> StoredCase | None:
            if not unit.member["registered"] or unit.member.get("left_at"):
                return None
            return await self._open(unit, row["case_id"], period, due_date, by, sample["_id"])

        try:
            return await self._units.run(row["member_id"], work)
        except (Conflict, NotFound):
            return None  # selected elsewhere, or erased, since the sample was drawn


def _not_registered() -> ValidationFailed:
    return _error("member_id", "Member", "There is no member on the Register with this id.")


def _error(name: str, label: str, message: str) -> ValidationFailed:
    return ValidationFailed(message, field_errors=[FieldError(f"/{name}", label, message)])
