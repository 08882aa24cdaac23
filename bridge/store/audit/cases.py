"""Cases of the Register Audit, and the samples they were drawn in."""

from __future__ import annotations

from collections.abc import Iterable

from bridge.domain.audit.cases import AWAITED, CaseFilter, State, StoredCase
from bridge.domain.audit.sampling import StoredSample
from bridge.domain.members.members import StoredMember
from bridge.store.database import Database, Query, Session, insert_new, reaches_store, save
from bridge.store.listing import Listing, ListQuery, Position, Sort, page_of


@reaches_store
class Cases:
    """The ``audit_cases`` collection; ``open`` is there while a case goes on, once for each member at most."""

    def __init__(self, database: Database) -> None:
        self._cases = database.collection("audit_cases", StoredCase)

    async def add(self, case: StoredCase, session: Session) -> None:
        """Add a case."""
        await self._cases.insert_one(case, session=session)

    async def get(self, case_id: str, session: Session | None = None) -> StoredCase | None:
        """Return a case, or None; for staff, who know no member beforehand."""
        return await self._cases.find_one({"_id": case_id}, session=session)

    async def of_member(self, member_id: str, session: Session | None = None) -> list[StoredCase]:
        """Return every case of a member, newest first."""
        cases = self._cases.find({"member_id": member_id}, session=session).sort("selected_at", -1)
        return [case async for case in cases]

    async def open_of(self, member_id: str, session: Session) -> StoredCase | None:
        """Return the member's case that goes on, or None."""
        return await self._cases.find_one({"member_id": member_id, "open": True}, session=session)

    async def save(self, before: StoredCase, after: StoredCase, session: Session) -> StoredCase:
        """Write what differs of a case that the transaction has read, and return it with its new version."""
        saved_case: StoredCase = {**after, "version": before["version"] + 1}
        await save(self._cases, [(before, saved_case)], session)
        return saved_case

    async def list(
        self, case_filter: CaseFilter, sort: Sort, limit: int, after: Position | None
    ) -> Listing[StoredCase]:
        """Return a page of cases, for staff."""
        return await page_of(self._cases, ListQuery({}, _query(case_filter), sort, limit, after))

    async def awaited(self, until: str) -> list[StoredCase]:
        """Return the cases in which the member has something to send by a day (YYYY-MM-DD) or before it."""
        query = {"state": {"$in": sorted(AWAITED)}, "due_date": {"$lte": until}}
        return [case async for case in self._cases.find(query)]

    async def members_in(self, members: Iterable[str], but_sample: str) -> set[str]:
        """Return those of the members who are in a case that goes on, one of ``but_sample`` aside."""
        query = {"member_id": {"$in": list(members)}, "open": True, "sample_id": {"$ne": but_sample}}
        return {case["member_id"] async for case in self._cases.find(query, {"member_id": 1})}

    async def reviewed(self, but_sample: str) -> dict[str, list[StoredCase]]:
        """Return member id → the days of their cases that were not withdrawn, those of ``but_sample`` aside."""
        query = {"state": {"$ne": State.WITHDRAWN.value}, "sample_id": {"$ne": but_sample}}
        days: dict[str, list[StoredCase]] = {}
        async for case in self._cases.find(query, {"member_id": 1, "start": 1, "end": 1}):
            days.setdefault(case["member_id"], []).append(case)
        return days


def _query(case_filter: CaseFilter) -> Query:
    due_date = {"$lt": case_filter.due_before.isoformat()} if case_filter.due_before else None
    conditions: Query = {"state": case_filter.state, "member_id": case_filter.member_id, "due_date": due_date}
    return {name: value for name, value in conditions.items() if value is not None}


@reaches_store
class Samples:
    """The ``audit_samples`` collection: how each sample was drawn, with its whole population, so it can be checked."""

    def __init__(self, database: Database) -> None:
        self._samples = database.collection("audit_samples", StoredSample)
        self._members = database.collection("members", StoredMember)

    async def registered(self) -> list[StoredMember]:
        """Return every member on the Register who has not left, with what the population is chosen by."""
        fields = {"renewal_date": 1, "periods": 1, "registered_since": 1}
        return [member async for member in self._members.find({"registered": True, "left_at": None}, fields)]

    async def keep(self, sample: StoredSample) -> StoredSample:
        """Record a sample, once; returns the one that is recorded."""
        await insert_new(self._samples, [sample])
        return await self._samples.find_one({"_id": sample["_id"]}) or sample

    async def anonymize(self, member_id: str, alias: str) -> None:
        """Put an alias in the place of an erased member, wherever they were in the population or drawn."""
        async for sample in self._samples.find({"population": member_id}):
            population = [alias if drawn_id == member_id else drawn_id for drawn_id in sample["population"]]
            anonymous = {"member_id": alias, "case_id": alias}
            selection = [{**row, **anonymous} if row["member_id"] == member_id else row for row in sample["selected"]]
            change = {"$set": {"population": population, "selected": selection}}
            await self._samples.update_one({"_id": sample["_id"], "population": member_id}, change)

    async def get(self, sample_id: str) -> StoredSample | None:
        """Return a sample, or None."""
        return await self._samples.find_one({"_id": sample_id})
