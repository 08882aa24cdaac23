"""The schemas of messages describe what the code takes and makes."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from jsonschema import Draft202012Validator, FormatChecker
from pydantic.json_schema import models_json_schema

from bridge.domain.events import EVENT_TYPES, EventType, OutboxEvent, cloud_event, event
from consumers.events import rounds
from consumers.members import BODIES
from schemas.messages import EVENT, MEMBER
from tests.support.statements import member


def validator(document: dict[str, Any]) -> Any:
    """A validator that checks formats too."""
    return Draft202012Validator(document, format_checker=FormatChecker())


def schema() -> dict[str, Any]:
    """The JSON Schema of the feed's bodies, by its models."""
    _, parts = models_json_schema([(model, "validation") for model in BODIES.values()], ref_template="#/$defs/{model}")
    references = {key: {"$ref": f"#/$defs/{model.__name__}"} for key, model in BODIES.items()}
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "The member feed",
        "description": "What comes on the exchange membership, by routing key.",
        "anyOf": list(references.values()),
        "$defs": {**references, **parts["$defs"]},
    }


def test_the_feeds_schema_is_made_from_its_models() -> None:
    """``member.json`` is what the models say; write it again with ``json.dumps(schema(), indent=2)``."""
    assert json.loads(json.dumps(schema())) == MEMBER


def test_the_feeds_schema_takes_what_the_feed_takes() -> None:
    """A whole member with id and revision fits; without a revision, or with more, it does not."""
    upsert = {**member(), "member_id": "m-1", "revision": 3}
    check = validator({**MEMBER, "anyOf": [{"$ref": "#/$defs/member.upserted"}]})
    assert check.is_valid(upsert)
    assert not check.is_valid(member())
    assert not check.is_valid({**upsert, "nickname": "Sam"})
    assert validator(MEMBER).is_valid({"member_id": "m-1", "revision": 4})


LOOSE = EventType("log.drafted", "An event of any data.", dict[str, Any], {})


def row(number: int, member_id: str = "m-1", **data: Any) -> OutboxEvent:
    """An outbox row."""
    at = datetime(2026, 5, 4, 10, 0, 0, 123000, tzinfo=UTC)
    return event(LOOSE, str(number), member_id, (number, 1), at, data)


def test_an_event_fits_its_schema() -> None:
    """What the relay publishes is a CloudEvent as ``event.json`` describes it."""
    event = cloud_event(row(1, entry_id="e-1", statement_id=None, states=["draft"]), "urn:cpd-bridge")
    validator(EVENT).validate(event)
    assert (event["time"], event["subject"]) == ("2026-05-04T10:00:00.123000Z", "m-1")


def test_each_type_of_event_is_in_the_schema_with_an_example_that_fits() -> None:
    """The list of the code and that of the schema are one, and no example has a text in it."""
    assert [kind.name for kind in EVENT_TYPES] == EVENT["properties"]["type"]["enum"]
    for kind in EVENT_TYPES:
        example = event(kind, "1", "m-1", (1, 1), datetime.now(UTC), kind.example)
        validator(EVENT).validate(cloud_event(example, "urn:cpd-bridge"))


@pytest.mark.parametrize("text", ["two words", "a\nline", "x" * 301])
def test_an_event_with_free_text_does_not_fit(text: str) -> None:
    """Ids, states and dates only: a text with a blank in it is refused by the schema."""
    assert not validator(EVENT).is_valid(cloud_event(row(1, title=text), "urn:cpd-bridge"))


def test_rounds_have_one_event_of_a_member_each_in_order() -> None:
    """All rows come once, in as many rounds as the busiest member has events, each member's in order."""
    rows = [row(number, f"m-{number % 3 if number < 7 else 0}") for number in range(10)]
    batches = list(rounds(rows))
    for together in batches:
        assert len({row["member_id"] for row in together}) == len(together)
    in_order = [row["_id"] for together in batches for row in together if row["member_id"] == "m-0"]
    assert in_order == [row["_id"] for row in rows if row["member_id"] == "m-0"]
    assert sorted(row["_id"] for together in batches for row in together) == sorted(row["_id"] for row in rows)
    assert list(rounds([])) == []
