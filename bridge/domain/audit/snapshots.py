"""What a member submits for the Register Audit, as one canonical text with its digest (R55-R59, decision 2).

The text is JSON in UTF-8 with sorted keys and no blanks (as RFC 8785 would write it: our keys are ASCII, our numbers
whole), so that anyone who has the bytes can compute the SHA-256 again.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import orjson

from bridge.domain.record.forms import Form, Forms
from bridge.domain.record.plan import DROPPED
from bridge.domain.record.records import values_of

Document = dict[str, Any]
Values = Mapping[str, Any]

BOTH = ("reference", "complete", "missing_fields", "form_version", "created_at", "updated_at")
OF_LOG = (*BOTH, "source", "draft", "finished_at", "period_id", "plan_ids")
OF_PLAN = (*BOTH, "status", "status_reason")
"""What is submitted of an entry and a plan item besides the fields of its form."""

OF_COMMENT = ("text", "refers_to", "author", "created_at")
OF_FILE = ("name", "size", "sha256", "media_type", "state", "uploaded_at")


@dataclass(frozen=True, slots=True)
class Scope:
    """Everything that a submission covers, as stored (decision 1); ``files`` has the evidence by entry."""

    log: Sequence[Document] = ()
    plan: Sequence[Document] = ()
    comments: Sequence[Document] = ()
    files: Mapping[str, Sequence[Document]] = field(default_factory=dict[str, Sequence[Document]])

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
    def links(self) -> list[Document]:
        """Every link between an entry and a plan item that are both in the scope (R58)."""
        known = set(self.plan_ids)
        return [
            {"log_id": entry["_id"], "plan_id": plan_id}
            for entry in self.log
            for plan_id in sorted(entry.get("plan_ids") or ())
            if plan_id in known
        ]

    def counts(self) -> dict[str, int]:
        """Return how many of each kind there are."""
        files = sum(len(files) for files in self.files.values())
        sizes = {"log": len(self.log), "plan": len(self.plan), "links": len(self.links)}
        return {**sizes, "comments": len(self.comments), "evidence": files}


def snapshot(about: Values, scope: Scope, forms: Forms) -> Document:
    """Return the whole submission; ``about`` is what is said of the case, the member and the declarations."""
    return {
        **about,
        "counts": scope.counts(),
        "log": [_record(entry, forms.form("log", entry["form_version"]), OF_LOG) for entry in scope.log],
        "plan": [_record(item, forms.form("plan", item["form_version"]), OF_PLAN) for item in scope.plan],
        "links": scope.links,
        "comments": [{"id": one["_id"], **_those(one, OF_COMMENT)} for one in scope.comments],
        "evidence": [
            {"id": file["id"], "log_id": entry_id, **_those(file, OF_FILE)}
            for entry_id, files in sorted(scope.files.items())
            for file in files
        ],
    }


def _record(record: Values, form: Form, rest: Iterable[str]) -> Document:
    """Name what leaves, so that a field added to the store for its own use does not."""
    return {"id": record["_id"], **values_of(form, record), **_those(record, rest)}


def _those(values: Values, names: Iterable[str]) -> Document:
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


def readiness(scope: Scope, forms: Forms, waiting: int, elsewhere: int) -> Document:
    """Return what an assessor will find missing: advice, never a block (R45-R47, R57).

    ``waiting`` completions are not in the record yet; ``elsewhere`` plan items have no dates, so no period takes them.
    """
    missing = [*_gaps("log", scope.log, forms), *_gaps("plan", scope.plan, forms)]
    linked = {link["plan_id"] for link in scope.links}
    found: Document = {
        "counts": scope.counts(),
        "by_type": _by_type(scope.log),
        "missing": missing,
        "drafts": [_name("log", entry) for entry in scope.log if entry["draft"]],
        "planned_not_logged": [_name("plan", item) for item in scope.plan if _expected(item, linked)],
        "logged_not_planned": [_name("log", entry) for entry in scope.log if not entry.get("plan_ids")],
        "unexplained": [_name("plan", item) for item in scope.plan if _unexplained(item)],
        "unchecked_evidence": sum(file["state"] != "clean" for files in scope.files.values() for file in files),
        "undated_plan_items": elsewhere,
        "waiting": waiting,
    }
    return {**found, "advice": _advice(found)}


def _gaps(kind: str, records: Iterable[Values], forms: Forms) -> list[Document]:
    return [
        {**_name(kind, record), "fields": _labels(forms.form(kind, record["form_version"]), record["missing_fields"])}
        for record in records
        if record["missing_fields"]
    ]


def _labels(form: Form, names: Iterable[str]) -> list[Document]:
    labels = {field.name: field.label for field in form.fields}
    return [{"name": name, "label": labels.get(name, name)} for name in names]


def _name(kind: str, record: Values) -> Document:
    return {"kind": kind, "id": record["_id"], "reference": record.get("reference"), "title": record.get("title")}


def _expected(item: Values, linked: set[str]) -> bool:
    return item["_id"] not in linked and item.get("status") != DROPPED


def _unexplained(item: Values) -> bool:
    return item.get("status") == DROPPED and not (item.get("status_reason") or "").strip()


def _by_type(log: Iterable[Values]) -> dict[str, Document]:
    found: dict[str, Document] = {}
    for entry in log:
        tally = found.setdefault(entry.get("type") or "none", {"complete": 0, "incomplete": 0})
        tally["complete" if entry["complete"] else "incomplete"] += 1
    return found


def _advice(found: Values) -> list[str]:
    """Say each gap in a sentence of its own, the most telling first."""
    counts, drafts, missing = found["counts"], len(found["drafts"]), len(found["missing"])
    planned, logged = len(found["planned_not_logged"]), len(found["logged_not_planned"])
    said = {
        "Nothing is logged for this period yet.": not counts["log"],
        "Nothing is planned for this period; an assessor expects to see what you planned.": not counts["plan"],
        f"{_many(missing, 'record')} with needed fields that are empty.": missing,
        f"{_many(drafts, 'log entry', 'log entries')} still marked as draft.": drafts,
        f"{_many(planned, 'plan item')} without a log entry: link one, or explain in a comment.": planned,
        f"{_many(logged, 'log entry', 'log entries')} not linked to your plan.": logged,
        f"{_many(len(found['unexplained']), 'plan item')} not pursued, without a reason.": found["unexplained"],
        f"{_many(found['unchecked_evidence'], 'file')} still being checked, or refused, by the virus scanner.": found[
            "unchecked_evidence"
        ],
        f"{_many(found['undated_plan_items'], 'plan item')} without dates: they are sent only when linked.": found[
            "undated_plan_items"
        ],
        f"{_many(found['waiting'], 'completion')} waiting to become a draft.": found["waiting"],
    }
    return [text for text, applies in said.items() if applies]


def _many(count: int, one: str, more: str = "") -> str:
    return f"{count} {one if count == 1 else more or one + 's'}"
