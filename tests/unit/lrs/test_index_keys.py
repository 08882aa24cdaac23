"""What statements are found by."""

from __future__ import annotations

from typing import Any

from bridge.domain.lrs import index_keys

ADA, BOB, LRS = ({"mbox": f"mailto:{name}@example.org"} for name in ("ada", "bob", "lrs"))
STATEMENT: dict[str, Any] = {
    "actor": ADA,
    "verb": {"id": "https://v.example.org/read"},
    "object": {"id": "https://t.example.org/1", "definition": {"name": {"en": "One"}}},
}


def test_what_is_mentioned_is_looked_up_and_roles_narrow_it() -> None:
    """An instructor is mentioned and has no role; the actor has both; the authority is mentioned and held."""
    keys = index_keys.extract_keys({**STATEMENT, "context": {"instructor": BOB}}, LRS)
    assert {index_keys.mention_of_agent(person) for person in (ADA, BOB, LRS)} <= keys.mentioned
    assert index_keys.agent_role(ADA) in keys.roles
    assert index_keys.agent_role(BOB) not in keys.roles
    assert index_keys.authority_key(LRS) in keys.held
    assert index_keys.definition_key("https://t.example.org/1") in keys.held


def test_members_of_a_group_are_found_by_the_group() -> None:
    """A Group, known or anonymous, matches what its members match (xAPI-Communication §2.1.3)."""
    for identity in ({}, {"mbox": "mailto:team@example.org"}):
        group = {"objectType": "Group", **identity, "member": [ADA, BOB]}
        assert index_keys.agent_role(BOB) in index_keys.extract_keys({**STATEMENT, "actor": group}, LRS).roles


def test_keys_hold_nothing_in_clear_and_tell_kinds_apart() -> None:
    """A key is 12 bytes; the same text as an activity and as a verb has two."""
    iri = "https://example.org/x"
    keys = {
        index_keys.mention_of_activity(iri),
        index_keys.verb_key(iri),
        index_keys.activity_role(iri),
        index_keys.definition_key(iri),
    }
    assert len(keys) == 4
    assert {len(key) for key in keys} == {12}


def test_what_a_statement_refers_to_and_voids() -> None:
    """A StatementRef as object is a target, in lower case; only the verb voided makes it voided."""
    ref = {"objectType": "StatementRef", "id": "AE2F7F3A-7C4B-4C8A-9B5E-1F3B6D1C2A30"}
    plain = index_keys.extract_keys({**STATEMENT, "object": ref}, LRS)
    voiding = index_keys.extract_keys(
        {**STATEMENT, "object": ref, "verb": {"id": "http://adlnet.gov/expapi/verbs/voided"}}, LRS
    )
    assert (plain.target, plain.voids) == (ref["id"].lower(), None)
    assert (voiding.target, voiding.voids) == (ref["id"].lower(), ref["id"].lower())
