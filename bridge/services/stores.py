"""The stores a service may need, built once by the wiring."""

from __future__ import annotations

from dataclasses import dataclass, fields

from bridge.domain import entries, plan
from bridge.domain.counts import COUNTED_BY
from bridge.store.access_log import AccessLog
from bridge.store.cases import Cases, Samples
from bridge.store.comments import Comments
from bridge.store.database import Database
from bridge.store.dead_letters import DeadLetters
from bridge.store.departures import Departures
from bridge.store.entries import Entries
from bridge.store.erasures import Erasures
from bridge.store.evidence import Evidence
from bridge.store.follow_ups import FollowUps
from bridge.store.grants import Grants
from bridge.store.holdings import Holdings
from bridge.store.idempotency import Answers
from bridge.store.identifiers import Identifiers
from bridge.store.inventory import INVENTORY
from bridge.store.lrs.stores import LrsStores
from bridge.store.measured import Measured
from bridge.store.members import Members
from bridge.store.notices import Notices
from bridge.store.outbox import Outbox
from bridge.store.parked import Waiting
from bridge.store.pulls import Pulls
from bridge.store.records import Records
from bridge.store.removal import Removal
from bridge.store.schedules import Schedules
from bridge.store.statements import Statements
from bridge.store.submissions import Freezes, Submissions


@dataclass(frozen=True, slots=True)
class Stores:
    """Every collection family, over one database."""

    database: Database
    members: Members
    statements: Statements
    entries: Entries
    waiting: Waiting
    outbox: Outbox
    erasures: Erasures
    answers: Answers
    comments: Comments
    evidence: Evidence
    dead_letters: DeadLetters
    departures: Departures
    pulls: Pulls
    log: Records
    plan: Records
    identifiers: Identifiers
    follow_ups: FollowUps
    cases: Cases
    samples: Samples
    submissions: Submissions
    freezes: Freezes
    grants: Grants
    access_log: AccessLog
    notices: Notices
    schedules: Schedules
    holdings: Holdings
    measured: Measured
    removal: Removal
    lrs: LrsStores

    @classmethod
    def over(cls, database: Database) -> Stores:
        """Build every store over one database."""
        erasures = Erasures(database)
        return cls(
            database,
            Members(database),
            Statements(database),
            Entries(database),
            Waiting(database),
            Outbox(database),
            erasures,
            Answers(database),
            Comments(database),
            Evidence(database),
            DeadLetters(database),
            Departures(database),
            Pulls(database),
            Records(database, "log_entries", entries.SORTABLE, (*COUNTED_BY, "minutes")),
            Records(database, "plan_items", plan.SORTABLE),
            Identifiers(database),
            FollowUps(database),
            Cases(database),
            Samples(database),
            Submissions(database),
            Freezes(database),
            Grants(database),
            AccessLog(database, erasures),
            Notices(database),
            Schedules(database),
            Holdings(database),
            Measured(database),
            Removal(database, erasures),
            LrsStores.over(database),
        )

    async def prepare(self) -> None:
        """Create every index and collection; doing it again changes nothing."""
        for part in fields(self):
            store = getattr(self, part.name)
            if hasattr(store, "prepare"):
                await store.prepare()
        await self.database.create(INVENTORY)
