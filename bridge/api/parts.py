"""The services that resources ask for, by typed key, and the list of resources."""

from __future__ import annotations

from typing import Final

from aiohttp import web

from bridge.domain.forms import Forms
from bridge.services.access import AccessHistory
from bridge.services.audit import MemberAudit
from bridge.services.comments import MemberComments
from bridge.services.erasure import Erasures
from bridge.services.evidence import MemberEvidence
from bridge.services.exports import Exports
from bridge.services.imports import LogImports
from bridge.services.links import Links
from bridge.services.log import Log
from bridge.services.members import MemberRecords
from bridge.services.notices import NoticeBoard
from bridge.services.operations import Operations
from bridge.services.periods import Periods
from bridge.services.plan import Plan
from bridge.services.register import Register
from bridge.services.selection import Selection
from bridge.services.support import Support

MEMBERS: Final = web.AppKey("members", MemberRecords)
PERIODS: Final = web.AppKey("periods", Periods)
LOG: Final = web.AppKey("log", Log)
PLAN: Final = web.AppKey("plan", Plan)
LINKS: Final = web.AppKey("links", Links)
FORMS: Final = web.AppKey("forms", Forms)
COMMENTS: Final = web.AppKey("comments", MemberComments)
EVIDENCE: Final = web.AppKey("evidence", MemberEvidence)
IMPORTS: Final = web.AppKey("imports", LogImports)
AUDIT: Final = web.AppKey("audit", MemberAudit)
SELECTION: Final = web.AppKey("selection", Selection)
REGISTER: Final = web.AppKey("register", Register)
SUPPORT: Final = web.AppKey("support", Support)
ACCESS: Final = web.AppKey("access", AccessHistory)
NOTICES: Final = web.AppKey("notices", NoticeBoard)
EXPORTS: Final = web.AppKey("exports", Exports)
ERASURES: Final = web.AppKey("erasures", Erasures)
OPERATIONS: Final = web.AppKey("operations", Operations)
