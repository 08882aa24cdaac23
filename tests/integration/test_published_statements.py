"""Every published statement of others ends in exactly one disposition, explained here; none stalls the queue."""

from __future__ import annotations

import orjson
import pytest

from tests.conftest import SHARED_STATEMENTS
from tests.support.journey import Journey, words
from tests.support.statements import completed, member

PARKED = "parked"
EXPLANATIONS = {
    "activitystreams_complete_typo_display": ("dead-lettered invalid_statement", "`dispay` is no property of a verb"),
    "adl_anonymous_group_completed": ("ignored not_completed", "a Group is no member"),
    "cmi5_completed_moveon": (PARKED, "completed, by an actor who is not known"),
    "cmi5_completed_with_progress": (PARKED, "the same"),
    "cmi5_failed_before_completed": ("ignored verb", "failed is not among the verbs of the settings"),
    "cmi5_passed_masteryscore": ("ignored verb", "passed is not among the verbs at first"),
    "cmi5_satisfied": ("ignored verb", "satisfied is not among the verbs at first"),
    "jisc_blackboard_attempt_completed_false": ("ignored not_completed", "result.completion is false"),
    "jisc_quiz_completed_template": ("dead-lettered invalid_statement", "unfilled placeholders"),
    "ll_docs_assessment_completed": (PARKED, "completed without an id or a timestamp"),
    "ll_docs_journey_completed": (PARKED, "completed, with stored and authority"),
    "lrsql_reaction_template_completed": ("dead-lettered invalid_statement", "a template, not a statement"),
    "moodle_course_completed": (PARKED, "completed, with dotted extension keys"),
    "moodle_module_completed_book": ("ignored sub_activity", "its parents are in the catalogue, which takes any"),
    "moodle_quiz_attempt_completed": ("ignored sub_activity", "an attempt inside a quiz"),
    "moodle_scorm_status_completed": ("ignored sub_activity", "a content object inside a module"),
    "ralph_doc_completed_minimal": (PARKED, "no objectType, no definition"),
    "rise_trainingarc_attempted_complete_https": ("ignored verb", "attempted, though completion is true"),
    "spec_attachment_answered": ("ignored verb", "answered"),
    "spec_attempted_result_duration": ("ignored verb", "attempted"),
    "spec_legacy_person_completed": ("dead-lettered invalid_statement", "a format before 1.0"),
    "spec_long_identified_group": ("ignored verb", "attended, by a Group"),
    "spec_statementref_commented": ("ignored verb", "commented"),
    "spec_substatement_planned": ("ignored verb", "planned: a SubStatement is not done"),
    "spec_voided_statementref": ("withdrawn", "a voiding, of a statement that has not come"),
    "trax_moodle_completed_https_verb": (PARKED, "its only parent is the activity itself"),
}


@pytest.mark.skipif(not SHARED_STATEMENTS.is_dir(), reason="the published statements lie beside the checkout")
async def test_each_published_statement_has_its_explained_disposition(bridge: Journey) -> None:
    """Invariant 1, on statements as tools and specifications publish them, sent twice."""
    files = sorted(SHARED_STATEMENTS.glob("*.json"))
    assert [file.stem for file in files] == sorted(EXPLANATIONS)
    first = await bridge.send(*(file.read_bytes() for file in files))
    assert {file.stem: words(outcome) for file, outcome in zip(files, first, strict=True)} == {
        name: expected for name, (expected, _) in EXPLANATIONS.items()
    }
    await bridge.send(*(file.read_bytes() for file in files))
    await bridge.add_member("m-1", member())
    assert words((await bridge.send(completed()))[0]) == "recorded"


@pytest.mark.skipif(not SHARED_STATEMENTS.is_dir(), reason="the published statements lie beside the checkout")
async def test_published_completions_become_drafts_when_their_actors_are_members(bridge: Journey) -> None:
    """What was parked above is recorded, with a title, once the membership system brings the actor."""
    bodies = [
        (SHARED_STATEMENTS / f"{name}.json").read_bytes()
        for name, (expected, _) in EXPLANATIONS.items()
        if expected == PARKED
    ]
    await bridge.send(*bodies)
    actors = [orjson.loads(body)["actor"] for body in bodies]
    identifiers = [{key: actor[key] for key in ("account", "mbox") if key in actor} for actor in actors]
    await bridge.add_member("m-1", member(identifiers=identifiers))
    entries = await bridge.log("m-1")
    assert len(entries) == len(bodies) - 1, "two are the same cmi5 unit on the same day"
    assert {"Introduction to Geology", "001-introduction", "Test", "Introduction"} <= {
        entry["title"] for entry in entries
    }
    assert await bridge.services.stores.waiting.count_parked() == 0
