"""What a keyword search looks through: what a person reads of a record, in the version of its form (R20)."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from bridge.domain.forms import STANDARD, FieldChoice, FormField
from bridge.domain.list_keys import findable, query_terms
from bridge.domain.members.members import MembershipCalendar
from bridge.domain.record import entries, plan
from bridge.domain.record.records import StoredRecord
from bridge.domain.statements.completions import Completion, automatic_draft
from bridge.texts import Text

NOON = datetime(2026, 5, 4, 12, tzinfo=UTC)
CALENDAR = MembershipCalendar(NOON.date())


def finds(q: str, record: StoredRecord) -> bool:
    """Whether a search finds a record."""
    return all(any(token.startswith(term) for token in record["tokens"]) for term in query_terms(q))


def automatic(title: str, activity_type: str | None = None) -> entries.StoredEntry:
    """An entry that a completion made, as lists hold it."""
    completion = Completion("k", "https://learn.example.org/1", activity_type, title, "", NOON.date(), 90, None)
    return automatic_draft(completion, "m-1", CALENDAR, "s-1", NOON, STANDARD.current("log"), 1)


@pytest.mark.parametrize("title", ["apple", "Banana", "2 things"])
def test_an_automatic_entry_is_found_by_its_own_words_alone(title: str) -> None:
    """Neither by the code of its type nor by the type that it has by default, nor by its date or minutes."""
    entry = automatic(title)
    assert finds(title, entry)
    assert not any(finds(q, entry) for q in ("learning", "centre", "learning_centre_content", "2026", "05", "04", "90"))


def test_a_choice_is_found_by_its_label() -> None:
    """As the form of the record's version has it; a code that a person never sees finds nothing."""
    entry = automatic("apple", "http://id.tincanapi.com/activitytype/webinar")
    assert finds("conference", entry)
    entry = entries.changed(entry, {"mode": "self_directed"}, None, STANDARD.current("log"), CALENDAR, NOON)
    assert finds("own pace", entry)
    assert not finds("self", entry)
    assert not finds("directed", entry)


def test_a_plan_item_is_found_likewise() -> None:
    """Planned is what every item is by default; what became of one is found by its label."""
    item = plan.new_item("m-1", {"title": "Grief", "start_date": "2026-05-04"}, STANDARD.current("plan"), NOON)
    assert finds("grief", item)
    assert not any(finds(q, item) for q in ("planned", "2026"))
    assert finds("not purs", plan.changed(item, {"status": "not_pursued"}, STANDARD.current("plan")))


def test_choices_of_which_several_may_be_taken_are_found_by_their_labels() -> None:
    """Also in a form of another body; a choice that its version does not have finds nothing."""
    choices = (FieldChoice.of("cbt", Text("Cognitive therapy")), FieldChoice.of("emdr", Text("Eye movement")))
    field = FormField("approaches", Text("Approaches"), Text("Some."), "factual", "choices", False, None, choices, 99)
    form = replace(STANDARD.current("log"), fields=(*STANDARD.current("log").fields, field))
    record = findable(form, {"title": "x", "approaches": ["cbt", "gone"]}, ())
    assert record["tokens"] == ["cognitive", "therapy", "x"]
