"""Whoever is named anywhere is found, hidden and taken out; whose an identifier was is told by the time."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from bridge.domain.members.identifiers import identifier_key
from bridge.domain.privacy.masking import masked
from bridge.domain.privacy.people import people, without
from bridge.domain.privacy.subjects import Tenure, spans_of
from schemas import xapi
from schemas.xapi.people import PLACES as LISTED
from tests.support.people import PLACES, forms, naming

NAMES = ["/".join(place) for place in PLACES]


@pytest.mark.parametrize("form", forms("xylocarp"))
@pytest.mark.parametrize("place", PLACES, ids=NAMES)
def test_a_person_in_each_place_of_the_schema(place: tuple[str, ...], form: str) -> None:
    """Found by the list, hidden by the mask, gone by the erasure, which leaves a valid statement."""
    agent = {**forms("xylocarp")[form], "name": "Xylocarp Jones"}
    statement = naming(place, agent)
    assert xapi.is_valid(statement), xapi.explain(statement)
    key = identifier_key(agent)
    assert key in set(people(statement))
    assert not {"xylocarp", agent.get("mbox_sha1sum", "xylocarp")} & set(str(masked(statement)).lower().split("'"))
    assert "xylocarp" not in str(masked(statement)).lower()
    redacted_statement = without(statement, {key}.__contains__)
    assert xapi.is_valid(redacted_statement), xapi.explain(redacted_statement)
    assert "xylocarp" not in str(redacted_statement).lower()
    assert key not in set(people(redacted_statement))


def test_the_list_is_the_schemas() -> None:
    """A place that the schema gains is in the list, and none is in it that the schema has not."""
    assert sorted(LISTED) == PLACES


@pytest.mark.parametrize("value", [{"id": "Sam"}, "Sam", "https://sam.example.org", {"type": "Sam"}, [{"id": "Sam"}]])
@pytest.mark.parametrize("place", ["actor", "authority", "instructor", "member"])
def test_a_person_in_no_form_is_hidden(place: str, value: object) -> None:
    """What stands where a person does is masked though it is no Agent: the letter may be here for that."""
    assert "sam" not in str(masked({place: value})).lower()


def day(number: int) -> datetime:
    """A day of a month."""
    return datetime(2026, 1, number, tzinfo=UTC)


@pytest.mark.parametrize(
    ("tenures", "holders"),
    [
        ([Tenure("a")], "aaaa"),
        ([Tenure("a", day(10)), Tenure("b")], "aabb"),
        ([Tenure("a", day(10))], "aaaa"),
        ([Tenure("a", day(10)), Tenure("b", day(20)), Tenure("a")], "aaba"),
        ([Tenure("b", day(20)), Tenure("a", day(10))], "aabb"),
    ],
)
def test_whose_an_identifier_was(tenures: list[Tenure], holders: str) -> None:
    """Theirs until they gave it up, the next one's from then on; what nobody has stays with the last."""
    at = [day(1), day(10), day(15), day(25)]
    for member_id in "ab":
        memberships = [any(span.covers(when) for span in spans_of(member_id, tenures)) for when in at]
        assert memberships == [holder == member_id for holder in holders]
