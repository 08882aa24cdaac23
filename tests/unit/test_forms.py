"""The forms as data, and what makes a record complete (R8-R11, R34-R41)."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

import schemas.forms
from bridge.domain.forms import STANDARD, is_complete, missing_fields
from bridge.domain.statements import completions
from bridge.errors import NotFound

LOG, PLAN = STANDARD.current("log"), STANDARD.current("plan")
REQUIRED_FIELDS = {
    "log": ["title", "type", "date", "description", "reason", "learning", "evaluation", "impact_on_practice"],
    "plan": [
        "title",
        "start_date",
        "completion_date",
        "learning_need",
        "relevance",
        "planned_action",
        "expected_impact",
    ],
}
FIRST = Path(schemas.forms.__file__).parent / "log-1.json"


@pytest.mark.parametrize("name", ["log", "plan"])
def test_the_needed_fields_are_those_of_the_requirements(name: str):
    """R9, R34: an empty record misses exactly the fields marked M, in the form's order."""
    assert missing_fields(STANDARD.form(name, "1"), {}) == REQUIRED_FIELDS[name]


@pytest.mark.parametrize("empty", [None, "", " \n\t\u00a0", []])
def test_what_is_empty_is_missing(empty: object):
    """R38: nothing, no text, white space and an empty list do not fill a field."""
    assert missing_fields(LOG, dict.fromkeys(REQUIRED_FIELDS["log"], "x") | {"learning": empty}) == ["learning"]


@pytest.mark.parametrize("value", [0, False, "0", ["x"]])
def test_what_has_a_value_is_not_missing(value: object):
    """Nought and no are answers."""
    assert missing_fields(LOG, dict.fromkeys(REQUIRED_FIELDS["log"], value)) == []


@pytest.mark.parametrize(
    ("draft", "gap", "complete"), [(False, False, True), (True, False, False), (False, True, False)]
)
def test_complete_is_finished_without_gaps(draft: bool, gap: bool, complete: bool):
    """R38: draft off and every needed field filled, and nothing less."""
    values = dict.fromkeys(REQUIRED_FIELDS["log"], "x") | ({"title": ""} if gap else {})
    assert is_complete(LOG, values, draft) is complete


def test_factual_fields_come_before_reflective_ones():
    """R36: the two groups follow each other, so that the portal can show them one after the other."""
    for schema in (LOG, PLAN):
        groups = [field.group for field in schema.fields]
        assert groups == sorted(groups)
        assert [field.order for field in schema.fields] == list(range(1, len(groups) + 1))


def test_texts_may_be_long():
    """R42: a reflection has room for 100,000 characters, and what is not text has no such limit."""
    assert {field.max_length for field in (*LOG.fields, *PLAN.fields) if field.type == "long_text"} == {100_000}
    assert {field.max_length for field in LOG.fields if field.type in {"date", "choice", "integer"}} == {None}


def test_the_reflections_warn_against_naming_clients():
    """Each form says so in more than one place."""
    for schema in (LOG, PLAN):
        assert sum("client" in field.help for field in schema.fields) >= 2


@pytest.mark.parametrize(("name", "version"), [("log", "0"), ("log", "99"), ("diary", "1")])
def test_an_unknown_form_is_not_found(name: str, version: str):
    """The error is the API's own."""
    with pytest.raises(NotFound, match=name):
        STANDARD.form(name, version)


def test_an_unknown_name_has_no_current_form():
    """A name that is no form's is not found either."""
    with pytest.raises(NotFound, match="diary"):
        STANDARD.current("diary")


@pytest.mark.parametrize(
    ("field", "fault"),
    [
        ({"type": "colour"}, r"\$\.fields\[0\]\.type: 'colour'"),
        ({"max_length": 0}, r"\$\.fields\[0\]\.max_length"),
        ({"type": "date"}, r"\$\.fields\[0\]: 'max_length' should not be"),
        ({"type": "choice"}, "'choices' is a required property"),
        ({"name": "type"}, "name type is there twice"),
        ({"order": 2}, "order 2 is there twice"),
        ({"colour": "red"}, "'colour' was unexpected"),
        ({}, r"its form and version are those of log-1\.json: change them"),
    ],
)
def test_a_wrong_form_is_refused_with_its_place(tmp_path: Path, field: dict[str, Any], fault: str):
    """A body that supplies its own wording is told where the file is wrong."""
    data = json.loads(FIRST.read_text(encoding="utf-8"))
    data["fields"][0] |= field
    (tmp_path / "log-2.json").write_text(json.dumps(data), encoding="utf-8")
    with pytest.raises(ValueError, match=rf"log-2\.json is not a form: .*{fault}"):
        schemas.forms.load(tmp_path / "log-2.json")


@pytest.mark.parametrize(
    ("activity_type", "log_type"),
    [
        ("https://w3id.org/xapi/cmi5/activitytype/course", "course"),
        ("https://adlnet.gov/expapi/activities/course/", "course"),
        ("http://id.tincanapi.com/activitytype/webinar", "seminar_or_conference"),
        ("http://id.tincanapi.com/activitytype/book", "reading_and_research"),
        ("http://example.org/unheard-of", "learning_centre_content"),
        ("urn:x", "learning_centre_content"),
        (None, "learning_centre_content"),
    ],
)
def test_an_activity_type_has_its_log_type(activity_type: str | None, log_type: str):
    """R29: the type of an automatic entry is filled in, whichever scheme the sender wrote."""
    assert completions.log_type(activity_type) == log_type


def test_every_log_type_of_an_activity_is_a_choice_of_the_log():
    """The list of activity types never yields what the form does not offer, its default included."""
    document = json.loads((FIRST.parent / "activity-types.json").read_text(encoding="utf-8"))
    choices = {choice.value for field in LOG.fields if field.name == "type" for choice in field.choices}
    assert {document["default"], *document["types"].values()} <= choices
