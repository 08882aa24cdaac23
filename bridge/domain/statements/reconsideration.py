"""The judgement of ignored statements by today's settings, and the counts of it: by reason and by activity."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

import orjson

from bridge.domain.statements.completions import Meaning, Rules
from bridge.domain.statements.dispositions import IGNORE_REASONS, Disposition, Outcome, Reason
from bridge.domain.statements.ledger import Arrival, LedgerRow, arrival

RECONSIDERABLE: Final = sorted(IGNORE_REASONS - {Reason.ERASED})
"""Reasons that other settings may change; what is erased stays erased (invariant 8)."""

MOST_PREFIXES: Final = 100
"""Prefixes that are counted apart, so that a report stays short whatever the activities are called."""

OTHER_PREFIXES: Final = "others"
"""The name under which further prefixes are counted."""

_PREFIX: Final = re.compile(r"[^:/?#]+:(?://[^/?#]*/?(?:[^/?#]+/)?|[^:/?#]+:?)?")


@dataclass(slots=True)
class ReasonCount:
    """The statements of a reason, or of a prefix: how many were judged, and how many of them count today."""

    statements: int = 0
    counting: int = 0

    def add(self, *, counts: bool) -> None:
        """Count one."""
        self.statements += 1
        self.counting += counts


@dataclass(slots=True)
class Reconsideration:
    """The report of a run: what was judged, and what became of what counts, by disposition (nothing in a dry run)."""

    total: ReasonCount = field(default_factory=ReasonCount)
    without_text: int = 0  # their text is past its time
    failed: int = 0  # they could not be recorded
    by_reason: dict[str, ReasonCount] = field(default_factory=dict[str, ReasonCount])
    by_prefix: dict[str, ReasonCount] = field(default_factory=dict[str, ReasonCount])
    outcomes: Counter[str] = field(default_factory=Counter[str])

    def add(self, row: LedgerRow, arrival: Arrival) -> bool:
        """Count a statement that was judged again; returns whether anything is to be written of it."""
        reason, counts = row.get("reason", ""), not isinstance(arrival.meaning, Outcome)
        prefix = prefix_of(orjson.loads(arrival.raw))
        name = prefix if prefix in self.by_prefix or len(self.by_prefix) < MOST_PREFIXES else OTHER_PREFIXES
        for count in (self.total, self.by_reason.setdefault(reason, ReasonCount())):
            count.add(counts=counts)
        self.by_prefix.setdefault(name, ReasonCount()).add(counts=counts)
        return counts or _is_otherwise(arrival.meaning, reason)

    def settle(self, outcomes: Iterable[Outcome | None]) -> None:
        """Count what became of statements; None of one that could not be recorded."""
        for outcome in outcomes:
            if outcome is None:
                self.failed += 1
            else:
                self.outcomes[outcome.disposition.value] += 1


def _is_otherwise(meaning: Meaning, reason: str) -> bool:
    """Say whether a statement is ignored for another reason today; one that would be put aside stays as it is."""
    return isinstance(meaning, Outcome) and meaning.disposition is Disposition.IGNORED and meaning.reason != reason


def judge(row: LedgerRow, rules: Rules, at: datetime) -> Arrival | None:
    """Return a statement as it would arrive today; None when its text is gone."""
    raw = row.get("raw")
    if not raw or "received_at" not in row:
        return None
    return arrival(orjson.loads(raw), raw, row["received_at"], rules, via=row.get("via", "amqp"), reconsidered_at=at)


def prefix_of(statement: Any) -> str:
    """Return how the IRI of a statement's activity begins: host and first segment; of no activity, what it is."""
    target = statement["object"]
    kind = target.get("objectType", "Activity")
    match = _PREFIX.match(target["id"]) if kind == "Activity" else None
    return match[0] if match else f"no activity ({kind})"
