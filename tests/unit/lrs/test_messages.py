"""How stored statements become messages: together what came together, apart by verb, within the limits of a message."""

from __future__ import annotations

from typing import Any, cast

import orjson
import pytest

from bridge.domain.lrs.rows import LrsFields, LrsRow
from bridge.domain.statements.json_parts import MOST_STATEMENTS
from bridge.services.lrs import messages as module
from bridge.services.lrs.messages import messages
from tests.support.statements import completed, voided

STAMP = b'"stored":"2026-05-04T10:00:00Z","version":"1.0.0"'
PLENTY = 2**20


def stored(statement: dict[str, Any], request: str | None = "one", trace: str | None = None) -> LrsRow:
    """The row of a statement of a request."""
    fields = {"added": STAMP, "correlation_id": request, "traceparent": trace}
    row = {"_id": statement["id"], "raw": orjson.dumps(statement), "lrs": cast("LrsFields", fields)}
    return cast("LrsRow", row)


def ids(body: bytes) -> list[str]:
    """The statements of a body, whether it is one or an array."""
    text = body if body.startswith(b"[") else b"[" + body + b"]"
    return [statement["id"] for statement in orjson.loads(text)]


def test_one_statement_is_a_message_as_it_always_was() -> None:
    """A body that is an object, named by the statement's id, with what the LRS added."""
    own_statement = completed()
    (message,) = messages("x", [stored(own_statement)], PLENTY)
    assert orjson.loads(message.body) == {**own_statement, **orjson.loads(b"{" + STAMP + b"}")}
    assert (message.message_id, message.correlation_id, message.routing_key) == (
        own_statement["id"],
        "one",
        "statement.completed",
    )


def test_a_request_is_a_message_for_each_verb() -> None:
    """What came together travels together, in its order; requests and verbs stay apart."""
    first, second, third = completed(), completed(), completed()
    void = voided(first["id"])
    batches = messages("x", [stored(first), stored(void), stored(second), stored(third, "two")], PLENTY)
    assert [(message.routing_key, message.correlation_id, ids(message.body)) for message in batches] == [
        ("statement.completed", "one", [first["id"], second["id"]]),
        ("statement.voided", "one", [void["id"]]),
        ("statement.completed", "two", [third["id"]]),
    ]


def test_a_message_belongs_to_one_trace() -> None:
    """Calls under one correlation id may be parts of several traces: each message goes on with its own."""
    first, second = completed(), completed()
    batches = messages("x", [stored(first, trace="00-a"), stored(second, trace="00-b")], PLENTY)
    assert [(message.traceparent, ids(message.body)) for message in batches] == [
        ("00-a", [first["id"]]),
        ("00-b", [second["id"]]),
    ]


def test_what_is_kept_of_an_older_release_has_an_id_to_be_followed_by() -> None:
    """A row without a correlation id gets one for its message."""
    (message,) = messages("x", [stored(completed(), None)], PLENTY)
    assert message.correlation_id


@pytest.mark.parametrize("spare", [0, 1])
def test_an_array_is_no_longer_than_allowed(spare: int) -> None:
    """Three statements fit to the byte; with one byte less the last goes on its own."""
    three = [stored(completed()) for _ in range(3)]
    (whole,) = messages("x", three, PLENTY)
    batches = messages("x", three, len(whole.body) - spare)
    assert [len(ids(message.body)) for message in batches] == ([3] if spare == 0 else [2, 1])
    assert all(len(message.body) <= len(whole.body) - spare for message in batches)


def test_a_statement_longer_than_an_array_may_be_goes_alone() -> None:
    """Neither it nor its neighbours are lost."""
    long = completed(result={"response": "x" * module.MAX_BYTES})
    three = [stored(completed()), stored(long), stored(completed())]
    assert [ids(message.body) for message in messages("x", three, PLENTY)] == [[row["_id"]] for row in three]


def test_an_array_has_no_more_statements_than_a_message_may(monkeypatch: pytest.MonkeyPatch) -> None:
    """One more than the limit makes a second message."""
    monkeypatch.setattr(module, "MAX_BYTES", 2**24)
    many = [stored(completed()) for _ in range(MOST_STATEMENTS + 1)]
    assert [len(ids(message.body)) for message in messages("x", many, 2**24)] == [MOST_STATEMENTS, 1]


def test_nothing_makes_nothing() -> None:
    """No statement, no message."""
    assert messages("x", [], PLENTY) == []
