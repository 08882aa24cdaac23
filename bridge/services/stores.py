"""The stores a service may need, built once by the wiring."""

from __future__ import annotations

from dataclasses import dataclass, fields

from bridge.domain.record import entries, plan
from bridge.domain.record.counts import COUNTED_BY
from bridge.store.access.access_log import AccessLog
from bridge.store.access.grants import Grants
from bridge.store.audit.cases import Cases, Samples
from bridge.store.audit.submissions import Freezes, Submissions
from bridge.store.database import Database
from bridge.store.idempotency import Answers
from bridge.store.inventory import INVENTORY
from bridge.store.lrs.stores import LrsStores
from bridge.store.members.departures import Departures
from bridge.store.members.identifiers import Identifiers
from bridge.store.members.members import Members
from bridge.store.members.notices import Notices
from bridge.store.operations.dead_letters import DeadLetters
from bridge.store.operations.schedules import Schedules
from bridge.store.operations.stats import Measured
from bridge.store.privacy.erasure import Removal
from bridge.store.privacy.erasures import Erasures
from bridge.store.privacy.subject_access import Holdings
from bridge.store.record.comments import Comments
from bridge.store.record.entries import Entries
from bridge.store.record.evidence import Evidence
from bridge.store.record.records import Records
from bridge.store.statements.follow_ups import FollowUps
from bridge.store.statements.ledger import Statements
from bridge.store.statements.outbox import Outbox
from bridge.store.statements.pulls import Pulls
from bridge.store.statements.waiting import Waiting


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
