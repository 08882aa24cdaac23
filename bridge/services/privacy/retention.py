"""Retention: what is past its time goes, a class at a time, each by its own period (docs/data-inventory.md)."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from typing import Final

from bridge.domain.operations import DeadLetterFilter
from bridge.errors import NotFound
from bridge.services.operations.dead_letters import Operations
from bridge.services.privacy.erasure import RETENTION, MemberErasure
from bridge.services.unit_of_work import UnitOfWork, UnitsOfWork
from bridge.settings import Settings
from bridge.store import Database, Document, Expired, ExpiredQuery, now
from bridge.store import retention as past

ORPHANED_AFTER: Final = timedelta(days=1)
"""Attachments that no statement has by then never will have: longer than any request takes."""

Work = Callable[[], Awaitable[int]]


@dataclass(frozen=True, slots=True)
class RetentionClass:
    """A class of data: what of it is past its time is counted, or removed and counted."""

    name: str
    count: Work
    purge: Work


class Retention:
    """Carries the periods out."""

    def __init__(
        self,
        database: Database,
        units: UnitsOfWork,
        operations: Operations,
        erasures: MemberErasure,
        settings: Settings,
    ) -> None:
        self._expired = Expired(database)
        self._units = units
        self._operations = operations
        self._erasures = erasures
        self._settings = settings

    async def purge(self, *, dry_run: bool) -> dict[str, int]:
        """Remove what is past its time, or only count it; returns class → number. Safe to break off and repeat."""
        counts: dict[str, int] = {}
        for data_class in self._classes(now()):
            counts[data_class.name] = await (data_class.count() if dry_run else data_class.purge())
        return counts

    def _classes(self, at: datetime) -> Sequence[RetentionClass]:
        """Return the classes that have a period, members who left first, since much goes with them."""
        settings, expired = self._settings, self._expired
        deleted_days, lrs_days = settings.retention_deleted_days, settings.retention_lrs_days
        classes = [
            self._dated("members who left", settings.retention_left_days, at, past.left, self._erase_left),
            self._dated("deleted plan items", deleted_days, at, past.deleted_items, expired.remove),
            self._dated("deleted log entries", deleted_days, at, past.deleted_entries, partial(self._strip, at=at)),
            self._dated("texts of statements", settings.retention_statements_days, at, past.taken, expired.blank),
            self._dated("texts not for the log", settings.retention_ignored_days, at, past.ignored, expired.blank),
            self._dated("parked completions", settings.retention_parked_days, at, past.parked, expired.forget_parked),
            self._dated("statements of the LRS", lrs_days, at, past.lrs_statements, expired.close_lrs),
            self._dated("documents of the LRS", lrs_days, at, past.lrs_documents, expired.remove),
            self._dated("audit cases", settings.retention_audit_days, at, past.ended_cases, expired.remove_cases),
            self._dated("audit samples", settings.retention_audit_days, at, past.samples, expired.remove),
            self._dated("support grants", settings.retention_grants_days, at, past.grants, expired.remove),
            self._dated("notices", settings.retention_notices_days, at, past.notices, expired.remove),
            self._letters(),
            self._dated("expired idempotency", 0, at, past.answers, expired.remove),
            RetentionClass(
                "orphaned attachments",
                partial(expired.orphans, at - ORPHANED_AFTER, remove=False),
                partial(expired.orphans, at - ORPHANED_AFTER, remove=True),
            ),
        ]
        return [data_class for data_class in classes if data_class is not None]

    def _dated(
        self,
        name: str,
        days: int | None,
        at: datetime,
        make_query: Callable[[datetime], ExpiredQuery],
        purge: Callable[[ExpiredQuery], Awaitable[int]],
    ) -> RetentionClass | None:
        if days is None:
            return None
        past_query = make_query(at - timedelta(days=days))
        return RetentionClass(name, partial(self._expired.count, past_query), partial(purge, past_query))

    def _letters(self) -> RetentionClass | None:
        days = self._settings.retention_dead_letters_days
        if days is None:
            return None
        letters = DeadLetterFilter(older_than=f"{days}d")

        async def count() -> int:
            return (await self._operations.list(letters, [("failed_at", False)], 1, None)).total

        async def discard() -> int:
            discarded_count, has_more = 0, True
            while has_more:
                result = await self._operations.discard(letters)
                discarded_count, has_more = discarded_count + result.discarded, result.more
            return discarded_count

        return RetentionClass("dead letters", count, discard)

    async def _erase_left(self, past_query: ExpiredQuery) -> int:
        """Erase members who left; one in an audit case waits for its end, and who has joined again stays."""
        erased_count = 0
        for member_id in await self._expired.ids(past_query):
            with suppress(NotFound):
                erasure = await self._erasures.request(member_id, RETENTION, cause=RETENTION)
                erased_count += erasure["state"] == "erased"
        return erased_count

    async def _strip(self, past_query: ExpiredQuery, at: datetime) -> int:
        """Remove deleted entries with their files, each in a unit of work: who restores one meanwhile keeps it."""
        stripped_count = 0
        for row in await self._expired.deleted_entries(past_query):
            with suppress(NotFound):  # being erased

                async def work(unit: UnitOfWork, row: Document = row) -> int:
                    return await self._expired.strip_entry(row, at, unit.session)

                stripped_count += await self._units.run(row["member_id"], work)
        return stripped_count
