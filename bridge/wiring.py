"""The only place that builds stores, services and the broker's names from the settings, and closes them."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from datetime import date, datetime, timedelta

from bridge.broker.dead_letter_queue import DeadLetterQueue
from bridge.broker.topology import configured_topology as topology
from bridge.clients.clamd import Scanner
from bridge.documents.notice import first_page
from bridge.documents.rendering import Bounds, Renderer
from bridge.domain.audit import AuditRules
from bridge.domain.forms import Forms, configured_forms
from bridge.domain.record import Target, targets_from
from bridge.domain.statements import Rules, verb_iris
from bridge.errors import SettingsError
from bridge.services.access.access_log import AccessHistory
from bridge.services.access.grants import SupportGrants
from bridge.services.audit.cases import MemberAudit
from bridge.services.audit.notices import AuditNotices
from bridge.services.audit.register import Register
from bridge.services.audit.review import SubmissionReview
from bridge.services.audit.selection import AuditSelection
from bridge.services.audit.submissions import AuditSubmissions
from bridge.services.exports.exports import Exports, ExportSettings
from bridge.services.exports.limits import SubjectLimit
from bridge.services.lrs import credentials
from bridge.services.lrs.attachments import LrsAttachments
from bridge.services.lrs.documents import LrsDocuments
from bridge.services.lrs.reading import StatementReader
from bridge.services.lrs.relay import StatementRelay
from bridge.services.lrs.services import LrsServices
from bridge.services.lrs.timestamps import StoredTimestamps
from bridge.services.lrs.writing import StatementWriter
from bridge.services.members.imports import MemberImports
from bridge.services.members.members import Membership
from bridge.services.members.reminders import Reminders
from bridge.services.members.writing import MemberWriter
from bridge.services.operations.backup import Backups
from bridge.services.operations.dead_letters import Operations
from bridge.services.operations.migrations import Migrations
from bridge.services.operations.periodic_jobs import Job, Scheduler
from bridge.services.operations.reports import Reports
from bridge.services.privacy.erasure import MemberErasure
from bridge.services.privacy.retention import Retention
from bridge.services.record.comments import MemberComments
from bridge.services.record.evidence import EvidenceLimits, MemberEvidence
from bridge.services.record.imports import LogImports
from bridge.services.record.links import RecordLinks
from bridge.services.record.log import Log
from bridge.services.record.periods import Periods
from bridge.services.record.plan import Plan
from bridge.services.statements.follow_ups import FollowUpRunner
from bridge.services.statements.lookup import StatementLookup
from bridge.services.statements.reconsidering import Reconsiderer
from bridge.services.statements.recording import Recording
from bridge.services.unit_of_work import UnitsOfWork
from bridge.settings import Settings
from bridge.store import Database, Stores
from schemas.targets import load as load_targets
from schemas.xapi import VERBS

VOIDED = frozenset(VERBS["voided"])


def rules(settings: Settings) -> Rules:
    """Put the settings that decide what counts into the domain's terms; raises ``SettingsError``."""
    try:
        verbs = verb_iris(settings.verbs)
    except ValueError as error:
        raise SettingsError(f"These settings are wrong:\n  BRIDGE_VERBS: {error}") from None
    return Rules(
        verbs=verbs - VOIDED,
        voiding_verbs=verbs & VOIDED,
        prefixes=settings.catalogue_prefixes,
        types=frozenset(settings.catalogue_types),
        zone=settings.zone,
        go_live=settings.auto_log_from,
        skew=timedelta(seconds=settings.clock_skew),
        languages=settings.languages,
    )


def targets(settings: Settings, own_forms: Forms) -> tuple[Target, ...]:
    """Return the targets that the settings name, if any; raises ``SettingsError`` with every fault."""
    if settings.targets_file is None:
        return ()
    try:
        return targets_from(load_targets(settings.targets_file), own_forms)
    except ValueError as error:
        raise SettingsError(f"These settings are wrong:\n  BRIDGE_TARGETS_FILE: {error}") from None


class Services:
    """Every use case family, over one set of stores, each under the name that others ask for it by."""

    def __init__(self, database: Database, settings: Settings) -> None:
        zone = settings.zone

        def today() -> date:
            return datetime.now(zone).date()

        stores = Stores(database)
        units = UnitsOfWork(stores, zone)
        audit_rules = AuditRules(
            settings.audit_due_days, settings.audit_return_days, settings.audit_rate, settings.audit_outcomes
        )
        self.stores = stores
        self.forms = configured_forms(settings.forms_dir)
        self.recording = Recording(stores, rules(settings), self.forms.current("log"))
        self.follow_ups = FollowUpRunner(stores, self.recording)
        writer = MemberWriter(stores)
        self.members = Membership(stores, writer, self.follow_ups)
        self.member_imports = MemberImports(stores, writer)
        self.access = AccessHistory(stores)
        self.support = SupportGrants(stores, units, self.access)
        self.periods = Periods(stores, today, targets(settings, self.forms))
        self.plan = Plan(stores, units, self.forms, self.periods)
        self.log = Log(stores, units, self.forms, self.periods)
        self.links = RecordLinks(units)
        self.comments = MemberComments(stores, units, self.periods)
        self.imports = LogImports(units, self.log, self.forms)
        limits = EvidenceLimits(file=settings.evidence_max_bytes, member=settings.evidence_quota_bytes)
        scanner = Scanner(settings.clamd_url, settings.clamd_timeout) if settings.clamd_url else None
        self.evidence = MemberEvidence(stores, units, limits, scanner)
        self.submissions = AuditSubmissions(stores, self.forms)
        self.audit = MemberAudit(stores, units, self.submissions, today)
        self.selection = AuditSelection(stores, units, audit_rules, today)
        self.register = Register(stores, units, self.submissions, self.follow_ups, audit_rules, today)
        self.review = SubmissionReview(stores, self.submissions, self.access, self.evidence)
        self.reminders = Reminders(stores, units, self.follow_ups, settings.period_ending_days, today)
        self.notices = AuditNotices(stores, settings.portal_url, settings.languages)
        self.exports = Exports(
            stores, self.forms, self.periods, self.access, _renderer(settings), _export_settings(settings)
        )
        self.operations = Operations(stores, DeadLetterQueue(settings, topology(settings)), self.access)
        self.reconsiderer = Reconsiderer(stores.search, self.recording)
        self.statement_lookup = StatementLookup(stores, self.access)
        self.reports = Reports(stores.report_counts, zone, today)
        self.erasures = MemberErasure(stores, self.operations)
        self.retention = Retention(database, units, self.operations, self.erasures, settings)
        self.migrations = Migrations(stores)
        self.backups = Backups(stores, self.migrations, self.erasures)
        self.scheduler = Scheduler(stores.schedules, _jobs(self.evidence, self.erasures))
        self.lrs = _lrs(stores, settings)


@asynccontextmanager
async def services(settings: Settings) -> AsyncGenerator[Services]:
    """Build the services over an open store, and close it at the end; nothing is asked of the store yet."""
    database = Database(settings)
    new_services = Services(database, settings)
    try:
        yield new_services
    finally:
        await new_services.exports.close()
        database.close()


def _jobs(evidence: MemberEvidence, erasures: MemberErasure) -> list[Job]:
    return [
        Job("evidence.scan", timedelta(minutes=1), evidence.scan_waiting),
        Job("evidence.sweep", timedelta(hours=1), evidence.sweep),
        Job("erasures.resume", timedelta(minutes=1), erasures.resume),
    ]


def _lrs(stores: Stores, settings: Settings) -> LrsServices | None:
    """Build the LRS's services; ``None`` when the settings name nobody who may use it."""
    if settings.lrs_credentials_file is None:
        return None
    lrs_credentials = credentials.Credentials(credentials.load(settings.lrs_credentials_file))
    timestamps = StoredTimestamps()
    relay = StatementRelay(stores.lrs_ledger, stores.unsent, settings, topology(settings))
    attachments = LrsAttachments(stores.lrs_attachments, settings.lrs_max_attachment_bytes)
    return LrsServices(
        writer=StatementWriter(stores, attachments, timestamps, relay),
        reader=StatementReader(stores.lrs_ledger),
        documents=LrsDocuments(stores.lrs_documents, settings.lrs_max_document_bytes),
        attachments=attachments,
        credentials=lrs_credentials,
        timestamps=timestamps,
        relay=relay,
    )


def _renderer(settings: Settings) -> Renderer:
    """Return what makes PDFs, within the bounds that the settings name; nothing is started yet."""
    return Renderer(
        Bounds(settings.export_workers, settings.export_waiting, settings.export_timeout, settings.export_memory_bytes)
    )


def _export_settings(settings: Settings) -> ExportSettings:
    share, page = settings.export_share, first_page(settings)
    pdfs = SubjectLimit(share, settings.export_waiting, settings.export_timeout)
    return ExportSettings(settings.languages[0], page, settings.export_streams, SubjectLimit(share), pdfs)
