"""Every store over one database: what services are given."""

from __future__ import annotations

from bridge.domain.record.entries import StoredEntry
from bridge.domain.record.plan import StoredPlanItem
from bridge.store.access.access_log import AccessLog
from bridge.store.access.grants import Grants
from bridge.store.audit.cases import Cases, Samples
from bridge.store.audit.notices import Notices
from bridge.store.audit.submissions import Freezes, Submissions
from bridge.store.database import Database
from bridge.store.idempotency import Answers
from bridge.store.lrs.attachments import Attachments
from bridge.store.lrs.documents import Documents
from bridge.store.lrs.ledger import LrsLedger
from bridge.store.lrs.unsent import Unsent
from bridge.store.members.members import Departures, Identifiers, Members
from bridge.store.operations.dead_letters import DeadLetters
from bridge.store.operations.dump import Dump
from bridge.store.operations.reports import ReportCounts
from bridge.store.operations.schedules import Schedules
from bridge.store.privacy.data_subjects import DataSubjects
from bridge.store.privacy.erasure import Removal
from bridge.store.privacy.erasures import Erasures
from bridge.store.privacy.subject_access import Holdings
from bridge.store.record.evidence import Evidence
from bridge.store.record.records import Comments, Records
from bridge.store.schema import Schema
from bridge.store.statements.follow_ups import FollowUps
from bridge.store.statements.ledger import Entries, Outbox, Statements, Waiting
from bridge.store.statements.pulls import Pulls
from bridge.store.statements.search import StatementSearch


class Stores:
    """Every collection family, over one database."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self.erasure_key = database.erasure_key
        self.members = Members(database)
        self.statements = Statements(database)
        self.search = StatementSearch(database)
        self.entries = Entries(database)
        self.waiting = Waiting(database)
        self.outbox = Outbox(database)
        self.erasures = Erasures(database)
        self.answers = Answers(database)
        self.comments = Comments(database)
        self.evidence = Evidence(database)
        self.dead_letters = DeadLetters(database)
        self.departures = Departures(database)
        self.pulls = Pulls(database)
        self.log = Records(database, "log_entries", StoredEntry)
        self.plan = Records(database, "plan_items", StoredPlanItem)
        self.identifiers = Identifiers(database)
        self.follow_ups = FollowUps(database)
        self.cases = Cases(database)
        self.samples = Samples(database)
        self.submissions = Submissions(database)
        self.freezes = Freezes(database)
        self.grants = Grants(database)
        self.access_log = AccessLog(database)
        self.notices = Notices(database)
        self.schedules = Schedules(database)
        self.holdings = Holdings(database)
        self.dump = Dump(database)
        self.report_counts = ReportCounts(database)
        self.removal = Removal(database)
        self.subjects = DataSubjects(database, self.identifiers, self.members)
        self.lrs_ledger = LrsLedger(database)
        self.lrs_documents = Documents(database)
        self.lrs_attachments = Attachments(database)
        self.unsent = Unsent(database)

    async def prepare(self) -> None:
        """Create every collection and index, and what the access log begins with; again, it changes nothing."""
        await Schema(self.database).create()
        await self.access_log.prepare()
