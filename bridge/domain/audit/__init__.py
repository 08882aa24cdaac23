"""The Register Audit: cases and their states, samples, what is submitted, what a member can do, and notices."""

from bridge.domain.audit.actions import ActionName, ActionReason, PeriodAction, period_actions
from bridge.domain.audit.cases import (
    AWAITED,
    EXTENSIONS,
    FROZEN,
    MOVES,
    READABLE,
    REMIND_AT,
    AuditRules,
    CaseDays,
    CaseFilter,
    Decision,
    Move,
    State,
    StoredCase,
    StoredDeclaration,
    StoredExtension,
)
from bridge.domain.audit.declarations import MemberCase, accept_declarations, case_for_member
from bridge.domain.audit.notices import (
    NOTICE_FACTS,
    ClaimedNotice,
    NoticeFacts,
    NoticeLetter,
    NoticeState,
    StoredNotice,
)
from bridge.domain.audit.sampling import LONGEST_WINDOW, SampledMember, SampleRequest, StoredSample, Window
from bridge.domain.audit.snapshots import OF_LOG, OF_PLAN, ReadinessReport, Scope, SnapshotPiece, StoredSubmission
