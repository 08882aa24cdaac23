"""The services that resources ask for, by typed key, and the list of resources."""

from __future__ import annotations

from typing import Final

from aiohttp import web

from bridge.domain.forms import Forms
from bridge.services.access.access_log import AccessHistory
from bridge.services.access.grants import SupportGrants
from bridge.services.audit.cases import MemberAudit
from bridge.services.audit.notices import AuditNotices
from bridge.services.audit.register import Register
from bridge.services.audit.review import SubmissionReview
from bridge.services.audit.selection import AuditSelection
from bridge.services.exports.exports import Exports
from bridge.services.members.members import Membership
from bridge.services.operations.dead_letters import Operations
from bridge.services.operations.reports import Reports
from bridge.services.privacy.erasure import MemberErasure
from bridge.services.record.comments import MemberComments
from bridge.services.record.evidence import MemberEvidence
from bridge.services.record.imports import LogImports
from bridge.services.record.links import RecordLinks
from bridge.services.record.log import Log
from bridge.services.record.periods import Periods
from bridge.services.record.plan import Plan
from bridge.services.statements.lookup import StatementLookup
from bridge.services.statements.reconsidering import Reconsiderer

MEMBERS: Final = web.AppKey("members", Membership)
PERIODS: Final = web.AppKey("periods", Periods)
LOG: Final = web.AppKey("log", Log)
PLAN: Final = web.AppKey("plan", Plan)
LINKS: Final = web.AppKey("links", RecordLinks)
FORMS: Final = web.AppKey("forms", Forms)
COMMENTS: Final = web.AppKey("comments", MemberComments)
EVIDENCE: Final = web.AppKey("evidence", MemberEvidence)
IMPORTS: Final = web.AppKey("imports", LogImports)
AUDIT: Final = web.AppKey("audit", MemberAudit)
SELECTION: Final = web.AppKey("selection", AuditSelection)
REGISTER: Final = web.AppKey("register", Register)
REVIEW: Final = web.AppKey("review", SubmissionReview)
SUPPORT: Final = web.AppKey("support", SupportGrants)
ACCESS: Final = web.AppKey("access", AccessHistory)
NOTICES: Final = web.AppKey("notices", AuditNotices)
EXPORTS: Final = web.AppKey("exports", Exports)
ERASURES: Final = web.AppKey("erasures", MemberErasure)
STATEMENT_LOOKUP: Final = web.AppKey("statement_lookup", StatementLookup)
RECONSIDERER: Final = web.AppKey("reconsiderer", Reconsiderer)
REPORTS: Final = web.AppKey("reports", Reports)
OPERATIONS: Final = web.AppKey("operations", Operations)
