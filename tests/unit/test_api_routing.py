"""Declarations that do not fit their handler are refused at import."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from pydantic import BaseModel, ValidationError

from bridge.api.http.auth import PUBLIC
from bridge.api.http.context import Call
from bridge.api.http.inputs import InputModel
from bridge.api.http.openapi import describe
from bridge.api.http.routing import Routes


class Open(BaseModel):
    """Lets unknown fields pass."""


class Closed(InputModel):
    """Forbids unknown fields."""

    size: int = 1


async def plain(call: Call) -> None:
    """A handler that takes the call alone (R1, decision 2)."""


async def with_query(call: Call, query: Closed) -> None:
    """A handler that takes a query."""


async def with_open_query(call: Call, query: Open) -> None:
    """A handler that takes a query of any fields."""


async def with_body(call: Call, body: Closed) -> None:
    """A handler that takes a body."""


@pytest.mark.parametrize(
    ("handler", "arguments", "words"),
    [
        (plain, {"roles": set[str]()}, "roles"),
        (plain, {"roles": {"admin"}}, "roles"),
        (plain, {"query": Closed}, r"\(call, query\)"),
        (with_query, {}, r"\(call\)"),
        (with_query, {"query": Open}, "annotation"),
        (with_open_query, {"query": Open}, "extra"),
    ],
)
def test_misfits(handler: Any, arguments: dict[str, Any], words: str) -> None:
    """Roles, parameters, models and openness are checked when a route is declared."""
    options: dict[str, Any] = {"roles": PUBLIC, **arguments}
    with pytest.raises(TypeError, match=words):
        Routes("T").get("/x", **options)(handler)


def test_examples_fit() -> None:
    """An example that the body would refuse is refused."""
    with pytest.raises(ValidationError):
        Routes("T").post("/x", roles=PUBLIC, body=Closed, example={"size": "big"})(with_body)


def test_table_tells_the_routes() -> None:
    """The table holds what was declared, in order."""
    routes = Routes("T")
    declare: Callable[..., Any] = routes.get("/x/{id}", roles={"ops"}, query=Closed)
    assert declare(with_query) is with_query
    routes.delete("/x/{id}", roles=PUBLIC)(plain)
    first, second = routes.table()
    assert (first.method, first.path, first.roles, first.query) == ("GET", "/x/{id}", {"ops"}, Closed)
    assert (second.method, second.roles, second.statuses, second.path_parameters) == ("DELETE", None, (204,), ["id"])


def test_summary_is_the_docstring() -> None:
    """The document has the first line of a handler's docstring as its summary, without our rules and its full stop."""
    routes = Routes("T")
    routes.get("/x", roles=PUBLIC)(plain)
    assert describe([routes])["paths"]["/x"]["get"]["summary"] == "A handler that takes the call alone"


def test_operation_ids_are_unique() -> None:
    """Two routes of one name are refused when the document is made."""
    routes = Routes("T")
    routes.get("/x", roles=PUBLIC)(plain)
    routes.delete("/x", roles=PUBLIC)(plain)
    with pytest.raises(ValueError, match="operation_id"):
        describe([routes])
