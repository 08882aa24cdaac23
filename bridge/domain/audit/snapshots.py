"""Snapshots that members submit for the Register Audit: one canonical text with its digest (R55-R59, decision 2).

The text is JSON in UTF-8 with sorted keys and no blanks, as RFC 8785 would write it, so that anyone can compute the
SHA-256 again.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, TypedDict

import orjson

from bridge.domain.audit.cases import StoredCase, StoredDeclaration, year_of
from bridge.domain.forms import Form, Forms, Values, values_of
from bridge.domain.members.members import StoredMember
from bridge.domain.record.comments import StoredComment
from bridge.domain.record.entries import StoredEntry
from bridge.domain.record.files import EvidenceSummary
from bridge.domain.record.plan import DROPPED, NOT_EXPECTED, StoredPlanItem
from bridge.domain.record.records import StoredRecord
from bridge.texts import Text, counted

BOTH = ("reference", "complete", "missing_fields", "form_version", "created_at", "updated_at")
OF_LOG = (*BOTH, "source", "draft", "finished_at", "period_id", "plan_ids")
OF_PLAN = (*BOTH, "status", "status_reason", "carried_to", "carried_from")
"""What is submitted of an entry and a plan item besides the fields of its form."""

OF_COMMENT = ("text", "refers_to", "author", "created_at")
OF_FILE = ("name", "size", "sha256", "media_type", "state", "uploaded_at")


class RecordLink(TypedDict):
    """A link between a log entry and a plan item."""

    log_id: str
    plan_id: str


class ScopeCounts(TypedDict):
    """The number of each kind that a submission has."""

    log: int
    plan: int
    links: int
    comments: int
    evidence: int


class StoredSubmission(TypedDict):
    """A document of ``submissions``; the snapshot itself is in ``submission_pieces``."""

    _id: str  # the receipt number
    member_id: str
    case_id: str
    submitted_at: datetime
    digest: str  # SHA-256 of the snapshot's canonical text, in hexadecimal digits
    counts: ScopeCounts
    evidence: dict[str, str]  # id → SHA-256 of each file in the scope


class SnapshotPiece(TypedDict):
    """A document of ``submission_pieces``: a part of a snapshot's canonical text."""

    _id: str
    submission_id: str
    member_id: str
    n: int  # from 0
    data: bytes


class SnapshotPeriod(TypedDict):
    """The year that a submission is of, as a snapshot says it; both days inclusive."""

    id: str
    label: str
    start: str
    end: str


class SnapshotMember(TypedDict):
    """The member of a submission, as a snapshot says it."""

    id: str
    name: str
    registered: bool


class Snapshot(TypedDict):
    """A whole submission; of each record what ``OF_LOG`` and the like name, and the fields of its form."""

    case_id: str
    receipt: str
    submitted_at: datetime
    period: SnapshotPeriod
    member: SnapshotMember
    declarations: list[StoredDeclaration]
    counts: ScopeCounts
    log: list[Values]
    plan: list[Values]
    links: list[RecordLink]
    comments: list[Values]
    evidence: list[Values]


@dataclass(frozen=True, slots=True)
class Scope:
    """Everything that a submission covers, as stored (decision 1); ``files`` has the evidence by entry."""

    log: Sequence[StoredEntry] = ()
    plan: Sequence[StoredPlanItem] = ()
    comments: Sequence[StoredComment] = ()
    files: Mapping[str, Sequence[EvidenceSummary]] = field(default_factory=dict[str, Sequence[EvidenceSummary]])

    @property
    def log_ids(self) -> list[str]:
        """The ids of the entries."""
        return [entry["_id"] for entry in self.log]

    @property
    def plan_ids(self) -> list[str]:
        """The ids of the plan items."""
        return [item["_id"] for item in self.plan]

    @property
    def file_ids(self) -> list[str]:
        """The ids of the files."""
        return [file["id"] for files in self.files.values() for file in files]

    @property
    def links(self) -> list[RecordLink]:
        """Every link between an entry and a plan item that are both in the scope (R58)."""
        plan_ids = set(self.plan_ids)
        return [
            {"log_id": entry["_id"], "plan_id": plan_id}
            for entry in self.log
            for plan_id in sorted(entry["plan_ids"])
            if plan_id in plan_ids
        ]

    def counts(self) -> ScopeCounts:
        """Return how many of each kind there are."""
        return {
            "log": len(self.log),
            "plan": len(self.plan),
            "links": len(self.links),
            "comments": len(self.comments),
            "evidence": len(self.file_ids),
        }


def snapshot(
    case: StoredCase,
    receipt: str,
    member: StoredMember,
    declarations: list[StoredDeclaration],
    at: datetime,
    scope: Scope,
    forms: Forms,
) -> Snapshot:
    """Return the whole submission of a case; ``receipt`` is the submission's id."""
    return {
        "case_id": case["_id"],
        "receipt": receipt,
        "submitted_at": at,
        "period": {
            "id": case["period_id"],
            "label": str(year_of(case).label),
            "start": case["start"],
            "end": case["end"],
        },
        "member": {"id": member["_id"], "name": member["name"], "registered": member["registered"]},
        "declarations": declarations,
        "counts": scope.counts(),
        "log": [_record(entry, forms.form("log", entry["form_version"]), OF_LOG) for entry in scope.log],
        "plan": [_record(item, forms.form("plan", item["form_version"]), OF_PLAN) for item in scope.plan],
        "links": scope.links,
        "comments": [{"id": comment["_id"], **_those(comment, OF_COMMENT)} for comment in scope.comments],
        "evidence": [
            {"id": file["id"], "log_id": entry_id, **_those(file, OF_FILE)}
            for entry_id, files in sorted(scope.files.items())
            for file in files
        ],
    }


def _record(record: StoredRecord, form: Form, rest: Iterable[str]) -> Values:
    """Name what leaves, so that a field added to the store for its own use does not."""
    return {"id": record["_id"], **values_of(form, record), **_those(record, rest)}


def _those(values: Values, names: Iterable[str]) -> Values:
    return {name: values.get(name) for name in names}


def canonical(value: Values) -> bytes:
    """Return the canonical JSON; raises ``TypeError`` for what has no one way to be written, such as a fraction."""
    return orjson.dumps(_plain(value), option=orjson.OPT_SORT_KEYS)


def _plain(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    if isinstance(value, Mapping):
        return {name: _plain(part) for name, part in value.items()}  # pyright: ignore[reportUnknownVariableType] - any JSON
    if isinstance(value, list | tuple):
        return [_plain(part) for part in value]  # pyright: ignore[reportUnknownVariableType] - as above
    if isinstance(value, float):
        raise TypeError("a whole number was expected: fractions have more than one way to be written")
    return value


def digest(text: bytes) -> str:
    """Return the SHA-256 of a canonical text, in hexadecimal digits."""
    return hashlib.sha256(text).hexdigest()


class RecordName(TypedDict):
    """A record as a person finds it again."""

    kind: str  # ``log`` or ``plan``
    id: str
    reference: str | None
    title: str | None


class FieldName(TypedDict):
    """A field of a form."""

    name: str
    label: str


class RecordGaps(RecordName):
    """A record whose needed fields are empty."""

    fields: list[FieldName]


class TypeTally(TypedDict):
    """Entries of a type."""

    complete: int
    incomplete: int


class ReadinessGaps(TypedDict):
    """The gaps that an assessor will find in a scope."""

    counts: ScopeCounts
    by_type: dict[str, TypeTally]
    missing: list[RecordGaps]
    drafts: list[RecordName]
    planned_not_logged: list[RecordName]
    logged_not_planned: list[RecordName]
    unexplained: list[RecordName]  # plan items that were dropped without a reason
    unchecked_evidence: int
    undated_plan_items: int
    waiting: int


class ReadinessReport(ReadinessGaps):
    """The same in words, too."""

    advice: list[Text]


def readiness(scope: Scope, forms: Forms, waiting: int, elsewhere: int) -> ReadinessReport:
    """Return what an assessor will find missing: advice, never a block (R45-R47, R57).

    ``waiting`` completions are not in the record yet; ``elsewhere`` plan items have no dates, so no period takes them.
    """
    missing = [*_gaps("log", scope.log, forms), *_gaps("plan", scope.plan, forms)]
    linked_ids = {link["plan_id"] for link in scope.links}
    gaps: ReadinessGaps = {
        "counts": scope.counts(),
        "by_type": _by_type(scope.log),
        "missing": missing,
        "drafts": [_name("log", entry) for entry in scope.log if entry["draft"]],
        "planned_not_logged": [_name("plan", item) for item in scope.plan if _expected(item, linked_ids)],
        "logged_not_planned": [_name("log", entry) for entry in scope.log if not entry["plan_ids"]],
        "unexplained": [_name("plan", item) for item in scope.plan if _unexplained(item)],
        "unchecked_evidence": sum(file["state"] != "clean" for files in scope.files.values() for file in files),
        "undated_plan_items": elsewhere,
        "waiting": waiting,
    }
    return {**gaps, "advice": _advice(gaps)}


def _gaps(kind: str, records: Iterable[StoredRecord], forms: Forms) -> list[RecordGaps]:
    return [
        {**_name(kind, record), "fields": _labels(forms.form(kind, record["form_version"]), record["missing_fields"])}
        for record in records
        if record["missing_fields"]
    ]


def _labels(form: Form, names: Iterable[str]) -> list[FieldName]:
    labels = {field.name: field.label for field in form.fields}
    return [{"name": name, "label": labels.get(name, name)} for name in names]


def _name(kind: str, record: StoredRecord) -> RecordName:
    return {"kind": kind, "id": record["_id"], "reference": record.get("reference"), "title": record.get("title")}


def _expected(item: StoredPlanItem, linked_ids: set[str]) -> bool:
    return item["_id"] not in linked_ids and item.get("status") not in NOT_EXPECTED


def _unexplained(item: StoredPlanItem) -> bool:
    return item.get("status") == DROPPED and not (item.get("status_reason") or "").strip()


def _by_type(log: Iterable[StoredEntry]) -> dict[str, TypeTally]:
    by_type: dict[str, TypeTally] = {}
    for entry in log:
        tally = by_type.setdefault(entry.get("type") or "none", {"complete": 0, "incomplete": 0})
        tally["complete" if entry["complete"] else "incomplete"] += 1
    return by_type


def _advice(gaps: ReadinessGaps) -> list[Text]:
    """Say each gap in a sentence of its own, the most telling first."""
    counts, drafts, missing = gaps["counts"], len(gaps["drafts"]), len(gaps["missing"])
    planned_count, logged_count = len(gaps["planned_not_logged"]), len(gaps["logged_not_planned"])
    unexplained_items, files = len(gaps["unexplained"]), gaps["unchecked_evidence"]
    dateless_items, completions = gaps["undated_plan_items"], gaps["waiting"]
    sentences = [
        (Text("Nothing is logged for this period yet."), not counts["log"]),
        (Text("Nothing is planned for this period; an assessor expects to see what you planned."), not counts["plan"]),
        (
            counted(
                "{n} record with needed fields that are empty.",
                "{n} records with needed fields that are empty.",
                missing,
            ),
            missing,
        ),
        (counted("{n} log entry still marked as draft.", "{n} log entries still marked as draft.", drafts), drafts),
        (
            counted(
                "{n} plan item without a log entry: link one, or explain in a comment.",
                "{n} plan items without a log entry: link one, or explain in a comment.",
                planned_count,
            ),
            planned_count,
        ),
        (
            counted("{n} log entry not linked to your plan.", "{n} log entries not linked to your plan.", logged_count),
            logged_count,
        ),
        (
            counted(
                "{n} plan item not pursued, without a reason.",
                "{n} plan items not pursued, without a reason.",
                unexplained_items,
            ),
            unexplained_items,
        ),
        (
            counted(
                "{n} file still being checked, or refused, by the virus scanner.",
                "{n} files still being checked, or refused, by the virus scanner.",
                files,
            ),
            files,
        ),
        (
            counted(
                "{n} plan item without dates: they are sent only when linked.",
                "{n} plan items without dates: they are sent only when linked.",
                dateless_items,
            ),
            dateless_items,
        ),
        (
            counted(
                "{n} completion waiting to become a draft.",
                "{n} completions waiting to become a draft.",
                completions,
            ),
            completions,
        ),
    ]
    return [text for text, applies in sentences if applies]
