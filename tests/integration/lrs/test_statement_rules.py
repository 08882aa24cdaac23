"""Statement rules over HTTP, in both versions: each refusal is 400 and names the clause (xAPI-Data §2)."""

from __future__ import annotations

from typing import Any

import orjson
import pytest

from bridge.domain.fields import DEEPEST
from bridge.domain.lrs import parsing
from bridge.errors import Malformed, TooLarge
from tests.integration.lrs.client import JSON, Lrs, agent, attachment, new_id, statement

JSON_TYPE = {"Content-Type": JSON}
ACTIVITY = {"id": "https://things.example.org/book"}
GROUP = {"objectType": "Group", "member": [agent("ada"), agent("bob")]}

INVALID_STATEMENTS: list[tuple[str, dict[str, Any], str]] = [
    ("no actor", statement(actor=None), "2.4.2"),
    ("an actor without an identifier", statement(actor={"name": "Ada"}), "2.4.2"),
    ("two identifiers", statement(actor={**agent("ada"), "mbox": "mailto:ada@example.org"}), "2.4.2"),
    ("an anonymous group of nobody", statement(actor={"objectType": "Group"}), "2.4.2"),
    ("a null", statement(actor={**agent("ada"), "name": 1}), "2.4.2"),
    ("no verb", statement() | {"verb": {}}, "2.4.3"),
    ("a verb that is no IRI", statement() | {"verb": {"id": "read"}}, "2.4.3"),
    ("no object", statement(object=None), "2.4.4"),
    ("an agent as object without its type", statement(object=agent("ada")), "2.4.4"),
    ("components without an interaction type", statement(object={**ACTIVITY, "definition": {"choices": []}}), "2.4.4"),
    ("a score beyond its maximum", statement(result={"score": {"raw": 11, "max": 10}}), "2.4.5"),
    ("a duration in words", statement(result={"duration": "an hour"}), "2.4.5"),
    ("a registration that is no UUID", statement(context={"registration": "1"}), "2.4.6"),
    (
        "a platform for what is no activity",
        statement(object={"objectType": "Agent", **agent("bob")}, context={"platform": "x"}),
        "2.4.6",
    ),
    ("a time that is none", statement(timestamp="yesterday"), "2.4.7"),
    (
        "an authority of three",
        statement(authority={"objectType": "Group", "member": [agent("a"), agent("b"), agent("c")]}),
        "2.4.9",
    ),
    ("an authority that is a known group", statement(authority={**GROUP, **agent("x")}), "2.4.9"),
    ("a version of the future", statement(version="1.1.0"), "2.4.10"),
    ("an attachment without data or address", statement(attachments=[attachment(b"x")]), "2.4.11"),
    ("a property of nobody's", statement(extra=1), "2.2"),
    ("an id that is no UUID", statement(id="1"), "2.4.1"),
]
NEWER = {"2.4.1": "4.2.4.2", "2.4.2": "4.2.2.1", "2.4.3": "4.2.2.2", "2.4.4": "4.2.2.3", "2.4.5": "4.2.2.4"} | {
    "2.4.6": "4.2.2.5",
    "2.4.7": "4.2.4.2",
    "2.4.9": "4.2.4.2",
    "2.4.10": "4.2.4.3",
    "2.4.11": "4.2.2.6",
    "2.2": "4.2.1",
}


async def test_what_breaks_a_rule_is_refused_with_its_clause(lrs: Lrs) -> None:
    """Each broken rule is a 400 whose words hold the clause of the version spoken, and nothing is stored."""
    for name, fields, clause in INVALID_STATEMENTS:
        for version, reference in (("1.0.3", f"xAPI-Data §{clause}"), ("2.0.0", f"IEEE 9274.1.1 §{NEWER[clause]}")):
            answer = await lrs.speaking(version).call("POST", "statements", json=fields)
            body = await answer.json()
            assert (answer.status, reference in body["detail"]) == (400, True), (name, version, body)
            assert body["correlation_id"]
    assert await lrs.find() == []


@pytest.mark.parametrize("version", ["1.0.3", "2.0.0"])
async def test_what_keeps_the_rules_is_taken(lrs: Lrs, version: str) -> None:
    """What the rules allow is stored, however unusual."""
    rights = [
        statement(actor=GROUP),
        statement(object={"objectType": "StatementRef", "id": new_id()}),
        statement(object={"objectType": "SubStatement", **statement()}),
        statement(context={"contextActivities": {"parent": ACTIVITY}}),
        statement(result={"extensions": {"https://example.org/none": None}}),
        statement(attachments=[attachment(b"x", fileUrl="https://files.example.org/x")]),
        statement(authority={"objectType": "Group", "member": [agent("a"), agent("b")]}),
        statement(stored="2020-01-01T00:00:00Z"),
    ]
    assert len(await lrs.speaking(version).post(rights)) == len(rights)


async def test_what_2_0_brought_is_taken_in_2_0_alone(lrs: Lrs) -> None:
    """ContextAgents are new in 2.0, and a statement without a version is of the version of its request."""
    original = statement(context={"contextAgents": [{"objectType": "contextAgent", "agent": agent("bob")}]})
    assert (await lrs.call("POST", "statements", json=original)).status == 400
    (stored,) = await lrs.speaking("2.0.0").post(original)
    assert (await lrs.get(stored))["version"] == "2.0.0"


async def test_a_statement_keeps_the_version_it_came_with(lrs: Lrs) -> None:
    """A version given is kept; 1.0.3 assigns 1.0.0 (xAPI-Data §2.4.10)."""
    original, assigned_id = await lrs.post([statement(version="1.0.2"), statement()])
    assert [(await lrs.get(statement_id))["version"] for statement_id in (original, assigned_id)] == ["1.0.2", "1.0.0"]


def nested(levels: int) -> bytes:
    """A statement with so many levels: an extension of arrays within each other, beside the three around it."""
    around = orjson.dumps(statement(result={"extensions": {"https://example.org/deep": "here"}}))
    return around.replace(b'"here"', b"[" * (levels - 3) + b"]" * (levels - 3))


@pytest.mark.parametrize("levels", [DEEPEST + 1, 300, 1010])
async def test_what_is_nested_too_deep_is_refused(lrs: Lrs, levels: int) -> None:
    """What could be read and never be written again is 400, alone or in a batch; what is nested less is shown again."""
    assert (await lrs.call("POST", "statements", data=nested(DEEPEST), headers=JSON_TYPE)).status == 200
    (statement_id,) = await lrs.find()
    assert (await lrs.get(statement_id, format="canonical"))["id"] == statement_id
    for body in (nested(levels), b"[" + nested(levels) + b"]"):
        answer = await lrs.call("POST", "statements", data=body, headers=JSON_TYPE)
        assert (answer.status, "nested" in (await answer.json())["detail"]) == (400, True)


UNREADABLE: list[tuple[bytes, str]] = [
    (rb'"cut off \ud83d"', "whole characters"),
    (b"1e400", "64-bit float"),
    (b"[" * 300 + b"]" * 300, "nested"),
    (b"NaN", "JSON was expected"),
    (b'"caf\xe9"', "JSON was expected"),
]


async def test_what_cannot_be_read_is_refused_with_its_place(lrs: Lrs, subtests: pytest.Subtests) -> None:
    """One of a batch, or alone: 400 for the whole, that names the statement and the part (IEEE 9274.1.1 §4.1.6.1)."""
    for odd, label in UNREADABLE:
        with subtests.test(label):
            place = "/result/extensions/https:~1~1e.org~1x"
            odd_body = orjson.dumps(statement(result={"extensions": {"https://e.org/x": "here"}})).replace(
                b'"here"', odd
            )
            batch = b"[" + orjson.dumps(statement()) + b"," + odd_body + b"]"
            for version, body, at in (("1.0.3", batch, "/1"), ("2.0.0", batch, "/1"), ("1.0.3", odd_body, "")):
                answer = await lrs.speaking(version).call("POST", "statements", data=body, headers=JSON_TYPE)
                detail = (await answer.json())["detail"]
                assert (answer.status, f"{at}{place}" in detail, label in detail) == (400, True, True), detail
            assert await lrs.find() == []


async def test_a_statement_that_names_too_many_is_refused(lrs: Lrs) -> None:
    """More Activities than a row can have keys for are 413, and the words say what to do instead."""
    many = [{"id": f"a:{n:x}"} for n in range(40_000)]
    body = orjson.dumps(statement(context={"contextActivities": {"other": many}}))
    answer = await lrs.call("POST", "statements", data=body, headers=JSON_TYPE)
    assert (answer.status, "send several" in (await answer.json())["detail"]) == (413, True)
    assert len(await lrs.post([statement(context={"contextActivities": {"other": many[:2900]}})])) == 1


def test_a_statement_that_is_too_long_is_refused_for_that_alone() -> None:
    """Its length is looked at before its rules, which take time to explain."""
    body = orjson.dumps(statement(extra="x" * 1000))
    with pytest.raises(TooLarge):
        parsing.parse_batch(body, "1.0.3", 1000)
    with pytest.raises(Malformed):
        parsing.parse_single(body, "1.0.3", 2000, new_id())
