"""Reconsiders statements that were ignored: what counts by today's settings is recorded, as if it had come now.

The ledger is read in pieces, and a piece is recorded in one transaction, by the same decision as a batch of the
worker's. So it is safe to stop anywhere and to repeat: what was recorded is ignored no more.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence

import structlog

from bridge.domain.statements import RECONSIDERABLE, Arrival, LedgerRow, Outcome, Reconsideration, judge
from bridge.errors import Unavailable
from bridge.logs import failure
from bridge.services.statements.recording import Recording
from bridge.store import FateQuery, Place, StatementSearch, now, place_of

log = structlog.get_logger(__name__)


class Reconsiderer:
    """Judges ignored statements again."""

    def __init__(self, search: StatementSearch, recording: Recording) -> None:
        self._search = search
        self._recording = recording

    async def count(self, query: FateQuery) -> int:
        """Return how many ignored statements there are to judge."""
        return sum([await self._search.count(part) for part in query.by_reason(RECONSIDERABLE)])

    async def run(
        self, query: FateQuery, report: Reconsideration, *, dry_run: bool, after: Place | None = None
    ) -> AsyncGenerator[Place]:
        """Judge what was ignored for the reason and at the times of a query, from the one after a place on.

        It is counted in the ``report``, and recorded unless it is a dry run. Yields the place of the last that was
        judged, piece by piece; raises ``Unavailable`` when the store is away.
        """
        for part in query.by_reason(RECONSIDERABLE):
            if after is not None and after[0] != part.reason:
                continue
            async for rows in self._search.texts(part, after):
                await self._judge(rows, report, dry_run=dry_run)
                yield place_of(rows[-1])
            after = None

    async def _judge(self, rows: Sequence[LedgerRow], report: Reconsideration, *, dry_run: bool) -> None:
        at = now()
        arrivals: list[Arrival] = []
        for row in rows:
            arrival = judge(row, self._recording.rules, at)
            if arrival is None:
                report.without_text += 1
                continue
            if report.add(row, arrival):
                arrivals.append(arrival)
        if arrivals and not dry_run:
            report.settle(await self._record(arrivals))

    async def _record(self, arrivals: Sequence[Arrival]) -> Sequence[Outcome | None]:
        """Return what became of each; None for one that cannot be recorded, while the others are."""
        try:
            return await self._recording.reconsider(arrivals)
        except Unavailable:
            raise
        except Exception as error:  # whatever a statement provokes must not keep the others
            if len(arrivals) == 1:
                log.warning("not reconsidered", statement_id=arrivals[0].statement_id, **failure(error))
                return [None]
        middle = len(arrivals) // 2
        return [*await self._record(arrivals[:middle]), *await self._record(arrivals[middle:])]
