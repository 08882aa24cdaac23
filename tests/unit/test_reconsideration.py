"""Ignored statements judged again: how an activity is counted, and how short a report stays."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import orjson
import pytest

from bridge.domain.statements.ledger import LedgerRow
from bridge.domain.statements.reconsideration import MOST_PREFIXES, OTHER_PREFIXES, Reconsideration, judge, prefix_of
from bridge.settings import load
from bridge.wiring import rules
from tests.support.statements import activity_of, completed, voided

AT = datetime(2026, 6, 1, tzinfo=UTC)


@pytest.mark.parametrize(
    ("iri", "prefix"),
    [
        ("https://learning.example.org/course/1/page?of=2#here", "https://learning.example.org/course/"),
        ("https://learning.example.org/course", "https://learning.example.org/"),
        ("https://learning.example.org", "https://learning.example.org"),
        ("https://learning.example.org/?course=1", "https://learning.example.org/"),
        ("urn:uuid:0b1e9a52-6a63-4b39-9d0c-2f5d4d2f7c11", "urn:uuid:"),
        ("tag:example.org,2026:course/1", "tag:example.org,2026:"),
    ],
)
def test_an_activity_is_counted_by_host_and_first_segment(iri: str, prefix: str) -> None:
    """That is what a prefix in the settings is compared with by eye; nothing after it is told."""
    assert prefix_of({"object": {"id": iri}}) == prefix


def test_what_is_no_activity_says_so() -> None:
    """A reference to a statement has an id that is no IRI."""
    assert prefix_of(voided("0b1e9a52-6a63-4b39-9d0c-2f5d4d2f7c11")) == "no activity (StatementRef)"


def test_a_report_stays_short() -> None:
    """After a hundred prefixes the rest is counted together; every statement is counted once."""
    report = Reconsideration()
    for number in range(MOST_PREFIXES + 20):
        row = _row(completed(activity=f"{number}/1"))
        arrival = judge(row, rules(load()), AT)
        assert arrival
        report.add(row, arrival)
    assert len(report.by_prefix) == MOST_PREFIXES + 1
    assert report.by_prefix[OTHER_PREFIXES].statements == 20
    assert sum(count.statements for count in report.by_prefix.values()) == report.total.statements == MOST_PREFIXES + 20


def test_another_reason_is_to_be_written_too() -> None:
    """What the catalogue has now and came too early is ignored for that from now on; what stays as it is, is not."""
    today = rules(load(auto_log_from=AT))
    report = Reconsideration()
    for reason, is_written in (("not_catalogue", True), ("before_go_live", False)):
        row = _row(completed(object=activity_of("course/1")), reason)
        arrival = judge(row, today, AT)
        assert arrival
        assert report.add(row, arrival) is is_written
    assert (report.total.statements, report.total.counting) == (2, 0)


def _row(statement: dict[str, Any], reason: str = "not_catalogue") -> LedgerRow:
    return {"_id": statement["id"], "raw": orjson.dumps(statement), "received_at": AT, "reason": reason}
