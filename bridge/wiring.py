"""The only place that builds stores, services and the broker's names from the settings, and closes them."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from bridge.broker.dead_letter_queue import DeadLetterQueue
from bridge.broker.topology import Topology
from bridge.clients.clamd import Scanner
from bridge.documents.notice import first_page
from bridge.documents.rendering import Bounds, Renderer
from bridge.domain.record.forms import STANDARD, Forms
from bridge.domain.statements.completions import Rules, verb_iris
from bridge.errors import SettingsError
from bridge.services.access.access_log import AccessHistory
from bridge.services.access.grants import SupportGrants
from bridge.services.audit.cases import MemberAudit
from bridge.services.audit.register import Register
from bridge.services.audit.selection import AuditRules, AuditSelection
from bridge.services.audit.submissions import AuditSubmissions
from bridge.services.exports.exports import ExportLimits, Exports, ExportSettings
from bridge.services.lrs import credentials
from bridge.services.lrs.services import LrsServices
from bridge.services.members.feed import MemberFeed
from bridge.services.members.members import Membership
from bridge.services.members.notices import AuditNotices
from bridge.services.members.reminders import Reminders
from bridge.services.operations.backup import Backups
from bridge.services.operations.dead_letters import Operations
from bridge.services.operations.migrations import Migrations
from bridge.services.operations.periodic_jobs import Job, Scheduler
from bridge.services.privacy.erasure import MemberErasure
from bridge.services.privacy.retention import Retention
from bridge.services.record.comments import MemberComments
from bridge.services.record.evidence import EvidenceLimits, MemberEvidence
from bridge.services.record.imports import LogImports
from bridge.services.record.links import RecordLinks
from bridge.services.record.log import Log
from bridge.services.record.periods import Periods
from bridge.services.record.plan import Plan
from bridge.services.shares import SubjectLimit
from bridge.services.statements.follow_ups import FollowUpRunner
from bridge.services.statements.recording import Recording
from bridge.services.unit_of_work import UnitsOfWork
from bridge.settings import Settings
from bridge.store.database import Database
from bridge.store.inventory import in_words
from bridge.store.stores import Stores
from schemas.forms import load_all
from schemas.xapi import VERBS

VOIDED = frozenset(VERBS["voided"])


@dataclass(frozen=True, slots=True)
class Services:
    """Every use case family, over one set of stores."""

    stores: Stores
    recording: Recording
    members: Membership
    periods: Periods
    forms: Forms
    plan: Plan
    log: Log
    links: RecordLinks
    comments: MemberComments
    evidence: MemberEvidence
    imports: LogImports
    feed: MemberFeed
    operations: Operations
    access: AccessHistory
    support: SupportGrants
    audit: MemberAudit
    selection: AuditSelection
    register: Register
    submissions: AuditSubmissions
    follow_ups: FollowUpRunner
    reminders: Reminders
    scheduler: Scheduler
    notices: AuditNotices
    exports: Exports
    erasures: MemberErasure
    retention: Retention
    migrations: Migrations
    backups: Backups
    lrs: LrsServices | None = None


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


def forms(settings: Settings) -> Forms:
    """Return the forms that the settings name, or the standard ones; raises ``SettingsError`` with every fault."""
    if settings.forms_dir is None:
        return STANDARD
    try:
        return Forms(load_all(settings.forms_dir))
    except ValueError as error:
        raise SettingsError(f"These settings are wrong:\n  BRIDGE_FORMS_DIR: {error}") from None


def topology(settings: Settings) -> Topology:
    """Return the broker's names."""
    mails = settings.smtp_url is not None
    return Topology(
        settings.amqp_namespace, settings.verbs, mails, settings.completions_queue, declares=settings.amqp_declare
    )


@asynccontextmanager
async def services(settings: Settings) -> AsyncGenerator[Services]:
    """Build the services over an open store, and close it at the end; nothing is asked of the store yet."""
    database = Database(settings)
    built = build(database, settings)
    try:
        yield built
    finally:
        await built.exports.close()
        database.close()


def build(database: Database, settings: Settings) -> Services:
    """Build the services over a database."""

    def today() -> date:
        return datetime.now(settings.zone).date()

    stores = Stores(database)
    forms_ = forms(settings)
    recording = Recording(stores, rules(settings), forms_.current("log"))
    units = UnitsOfWork(stores)
    follow_ups = FollowUpRunner(stores, recording)
    periods = Periods(stores, today)
    members = Membership(stores, follow_ups)
    log = Log(stores, units, forms_, periods)
    files = evidence(stores, units, settings)
    access = AccessHistory(stores)
    submissions = AuditSubmissions(stores, forms_)
    audit_rules = _audit_rules(settings)
    operations = Operations(stores, DeadLetterQueue(settings, topology(settings)), access)
    erasures = MemberErasure(stores, operations)
    migrations = Migrations(stores)
    return Services(
        stores,
        recording,
        members,
        periods,
        forms=forms_,
        plan=Plan(stores, units, forms_, periods),
        log=log,
        links=RecordLinks(units),
        comments=MemberComments(stores, units, periods),
        evidence=files,
        imports=LogImports(units, log, forms_, periods),
        feed=MemberFeed(stores, members),
        operations=operations,
        access=access,
        support=SupportGrants(stores, units, access),
        audit=MemberAudit(stores, units, submissions, today),
        selection=AuditSelection(stores, units, audit_rules, today),
        register=Register(stores, units, submissions, follow_ups, access, files, audit_rules, today),
        submissions=submissions,
        follow_ups=follow_ups,
        reminders=Reminders(stores, units, follow_ups, settings.period_ending_days, today),
        scheduler=Scheduler(stores.schedules, periodic_jobs(files, erasures)),
        notices=AuditNotices(stores, settings.portal_url),
        exports=Exports(stores, forms_, periods, access, renderer(settings), _about(settings), shares(settings)),
        erasures=erasures,
        migrations=migrations,
        backups=Backups(stores, migrations, erasures),
        retention=Retention(database, units, operations, erasures, settings),
        lrs=_lrs(stores, settings),
    )


def periodic_jobs(files: MemberEvidence, erasures: MemberErasure) -> list[Job]:
    """Return what is to be done again and again."""
    return [
        Job("evidence.scan", timedelta(minutes=1), files.scan_waiting),
        Job("evidence.sweep", timedelta(hours=1), files.sweep),
        Job("erasures.resume", timedelta(minutes=1), erasures.resume),
    ]


def _lrs(stores: Stores, settings: Settings) -> LrsServices | None:
    """Build the LRS's services; ``None`` when the settings name nobody who may use it."""
    if settings.lrs_credentials_file is None:
        return None
    credentials_ = credentials.Credentials(credentials.load(settings.lrs_credentials_file))
    return LrsServices.over(stores.lrs, stores.erasures, credentials_, settings, topology(settings))


def _audit_rules(settings: Settings) -> AuditRules:
    return AuditRules(settings.audit_due_days, settings.audit_return_days, settings.audit_rate, settings.audit_outcomes)


def renderer(settings: Settings) -> Renderer:
    """Return what makes PDFs, within the bounds that the settings name; nothing is started yet."""
    return Renderer(
        Bounds(settings.export_workers, settings.export_waiting, settings.export_timeout, settings.export_memory_bytes)
    )


def shares(settings: Settings) -> ExportLimits:
    """Return what one subject may have of the exports at once."""
    share = settings.export_share
    return ExportLimits(SubjectLimit(share), SubjectLimit(share, settings.export_waiting, settings.export_timeout))


def _about(settings: Settings) -> ExportSettings:
    page = first_page(settings.privacy_url, in_words(settings))
    return ExportSettings(settings.languages[0], page, settings.export_streams)


def evidence(stores: Stores, units: UnitsOfWork, settings: Settings) -> MemberEvidence:
    """Build the evidence service, with the scanner that the settings name."""
    limits = EvidenceLimits(file=settings.evidence_max_bytes, member=settings.evidence_quota_bytes)
    scanner = Scanner(settings.clamd_url, settings.clamd_timeout) if settings.clamd_url else None
    return MemberEvidence(stores, units, limits, scanner)
