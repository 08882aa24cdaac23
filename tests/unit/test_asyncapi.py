"""The AsyncAPI document in the repository is the one that the code gives, and AsyncAPI's own schema takes it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft7Validator

from bridge.api.asyncapi import document
from bridge.broker.topology import configured_topology
from bridge.settings import Settings
from tests.support.packages import npm_package

DOCUMENT_FILE = Path(__file__).parents[2] / "docs" / "asyncapi.json"
DOCUMENT: dict[str, Any] = json.loads(DOCUMENT_FILE.read_bytes())


def faults(schema: dict[str, Any], instance: Any) -> list[str]:
    """What is wrong with an instance, by place."""
    errors = Draft7Validator(schema).iter_errors(instance)  # pyright: ignore[reportUnknownMemberType] - its stub
    return [f"{error.json_path}: {error.message[:200]}" for error in errors]


def test_the_committed_document_is_the_code_s() -> None:
    """A changed message shows as changed lines in a review: ``make documents`` writes them."""
    topology = configured_topology(Settings(_env_file=None))  # pyright: ignore[reportCallIssue] - pydantic-settings' own
    assert DOCUMENT_FILE.read_bytes() == document(topology), "run: make documents"


def test_the_official_schema_takes_it() -> None:
    """AsyncAPI 3.0.0's JSON Schema, as its makers publish it, finds nothing; and it finds what is planted."""
    specs = npm_package("@asyncapi/specs", "6.11.1")
    schema = json.loads((specs / "schemas" / "3.0.0.json").read_bytes())
    assert faults(schema, DOCUMENT) == []
    operation = {**DOCUMENT["operations"]["takeStatements"], "action": "listen"}
    assert faults(schema, {**DOCUMENT, "operations": {"takeStatements": operation}}) != []


@pytest.mark.parametrize("name", DOCUMENT["components"]["messages"])
def test_examples_fit_their_message(name: str) -> None:
    """Each message has an example, whose payload and headers fit."""
    message = DOCUMENT["components"]["messages"][name]
    for example in message["examples"]:
        assert faults({**message["payload"], "components": DOCUMENT["components"]}, example["payload"]) == []
        assert faults({"properties": message["headers"]["properties"]}, example.get("headers", {})) == []


def test_every_reference_leads_somewhere() -> None:
    """No ``$ref`` of the document is broken."""
    text = json.dumps(DOCUMENT)
    for reference in {part.partition('"')[0] for part in text.split('"$ref": "')[1:]}:
        target: Any = DOCUMENT
        for step in reference.removeprefix("#/").split("/"):
            target = target[step]
