"""What became of a statement in words: for operations with the setting to look at, for a member in their language."""

from __future__ import annotations

import re
from datetime import UTC, datetime

import pytest

from bridge.domain.record.entries import StoredProvenance
from bridge.domain.statements.dispositions import Disposition, Reason, possible
from bridge.domain.statements.fates import fate_in_words, fate_of_row, origin_in_words
from bridge.settings import PREFIX, Settings

AT = datetime(2026, 3, 3, 23, 30, tzinfo=UTC)
ENDINGS = [ending for ending in possible() if ending[0] is not Disposition.DUPLICATE]


@pytest.mark.parametrize(("disposition", "reason"), ENDINGS)
def test_every_ending_has_words(disposition: Disposition, reason: Reason | None) -> None:
    """The day, why, and settings that there are: a new way to end fails here until it has words."""
    text = fate_in_words({**fate_of_row({"_id": "s"}), "disposition": disposition, "reason": reason, "received_at": AT})
    assert "3 March 2026" in text
    assert "not known here" not in text
    settings = [name.lower() for name in re.findall(rf"{PREFIX}([A-Z_]+)", text)]
    assert set(settings) <= set(Settings.model_fields)
    assert bool(settings) is (reason in {
        Reason.NOT_CATALOGUE, Reason.BEFORE_GO_LIVE, Reason.VERB, Reason.TOO_LARGE, Reason.FUTURE_TIMESTAMP
    })  # fmt: skip


def test_what_has_not_ended_says_so() -> None:
    """Not received, received and not taken, and voided before it came are told apart."""
    absent = fate_of_row({"_id": "s"})
    assert fate_in_words(absent) == "Not received."
    assert "not taken by the worker yet" in fate_in_words({**absent, "received_at": AT})
    assert fate_in_words({**absent, "voided_by": "v"}) == "Not received. The statement v voids it."


def provenance(*statement_ids: str) -> StoredProvenance:
    """The provenance of an entry that these statements are behind."""
    return {
        "statement_ids": list(statement_ids),
        "activity_id": "https://learning.example.org/course/1",
        "registration": None,
        "actor_key": "mbox:mailto:sam@example.org",
        "received_at": AT,
        "original_title": "",
        "original_description": "",
    }


def test_a_member_reads_where_an_entry_came_from() -> None:
    """When it came, what joined it, and that it was taken back; in Welsh for who reads Welsh."""
    plain = origin_in_words(provenance("a"))
    assert plain == "From the Learning centre. Recorded on 3 March 2026: it became a draft in the log."
    assert "3 Mawrth 2026" in plain.to("cy")
    assert "2 more completions of the same joined it" in origin_in_words(provenance("a", "b", "c"))
    assert "took it back" in origin_in_words({**provenance("a"), "voided": True})
