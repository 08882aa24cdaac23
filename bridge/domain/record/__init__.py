"""The CPD record of a member: log entries, plan items, evidence and comments, their counts, links and targets."""

from bridge.domain.record.comments import StoredComment, filing_day, new_comment, no_such_record
from bridge.domain.record.counts import COUNTED_BY, EntryGroup, RecordState, state_of
from bridge.domain.record.entries import (
    NAMESPACE,
    Source,
    StoredEntry,
    StoredProvenance,
    entry_id,
    freeze_of,
    refiled,
    with_plan_ids,
)
from bridge.domain.record.files import (
    CLEAN,
    EVIDENCE_CHUNK,
    QUARANTINED,
    REJECTED,
    EvidenceFile,
    EvidenceState,
    EvidenceSummary,
    FileChunk,
    FileFacts,
    Inspector,
    LooseFile,
    check_room,
    evidence_file,
    evidence_summary,
)
from bridge.domain.record.plan import NOT_EXPECTED, StoredPlanItem
from bridge.domain.record.records import RESTORABLE_DAYS, RecordCriteria, StoredRecord
from bridge.domain.record.targets import Target, TargetProgress, Unit, target_progress, targets_from
