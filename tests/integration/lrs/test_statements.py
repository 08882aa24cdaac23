"""The Statement resource: storing, repeating, refusing, showing (xAPI-Communication §2.1)."""

from __future__ import annotations

import asyncio
import base64
from dataclasses import asdict, replace
from datetime import datetime
from email.utils import parsedate_to_datetime
from typing import Any
from unittest.mock import patch
from urllib.parse import urlencode

import orjson
import pytest
from pymongo.errors import PyMongoError

from bridge import wiring
from bridge.domain.lrs import parsing
from bridge.lrs.queries import PageRequest
from bridge.services.lrs.credentials import Credential
from tests.integration.lrs.client import Lrs, agent, new_id, statement

THROUGH = "X-Experience-API-Consistent-Through"


async def test_put_stores_under_the_id_of_the_parameter(lrs: Lrs) -> None:
    """PUT answers 204, again for the same statement, and 409 for another, which changes nothing."""
    statement_id = new_id()
    for original, status in ((statement(), 204), (statement(), 204), (statement(verb="burnt"), 409)):
        assert (await lrs.call("PUT", "statements", {"statementId": statement_id}, json=original)).status == status
    assert (await lrs.get(statement_id))["verb"] == statement()["verb"]
    assert len(await lrs.find()) == 1


WRONG_IDS: list[dict[str, str]] = [
    {},
    {"statementId": "1"},
    {"StatementId": "0b0e8b1c-3c8a-4c5c-8c39-3a3b0f6f2a11"},
    {"foo": "bar"},
]


async def test_put_needs_its_parameter(lrs: Lrs, subtests: pytest.Subtests) -> None:
    """A missing, wrong or differently spelt statementId is 400 (§2.1.1, §3.2)."""
    for params in WRONG_IDS:
        with subtests.test(params=params):
            assert (await lrs.call("PUT", "statements", params, json=statement())).status == 400


async def test_put_refuses_another_id_in_the_statement(lrs: Lrs) -> None:
    """The statement's own id, when it has one, is the parameter's; an array is not for PUT."""
    for original in (statement(id=new_id()), [statement()]):
        assert (await lrs.call("PUT", "statements", {"statementId": new_id()}, json=original)).status == 400


async def test_what_is_received_is_shown_byte_for_byte(lrs: Lrs) -> None:
    """Spacing, order and numbers stay as they came; what the LRS assigns stands at the end."""
    body = b"""{ "actor": {"mbox":"mailto:ada@example.org"},
        "verb":{"id":"https://v.example.org/did"}, "object":{"id":"https://t.example.org/a.b"},
        "result":{"score":{"raw":1.10e2}} }"""
    answer = await lrs.call("POST", "statements", data=body, headers={"Content-Type": "application/json"})
    (statement_id,) = await answer.json()
    text = await (await lrs.call("GET", "statements", {"statementId": statement_id})).read()
    assert body.strip()[1:-1] in text
    stored = orjson.loads(text)
    assert stored["id"] == statement_id
    assert stored["authority"]["account"]["name"] == "all"
    assert stored["timestamp"] == stored["stored"]


async def test_what_the_sender_may_not_say_is_replaced(lrs: Lrs) -> None:
    """``stored`` and ``authority`` are the LRS's to say; single contextActivities become arrays (xAPI-Data §2.4)."""
    related = {"grouping": {"id": "https://t.example.org/group"}}
    original = statement(stored="2001-01-01T00:00:00Z", authority=agent("me"), context={"contextActivities": related})
    (statement_id,) = await lrs.post(original)
    answer = await lrs.get(statement_id)
    assert answer["stored"] > "2026"
    assert answer["authority"]["account"]["name"] == "all"
    assert answer["context"]["contextActivities"] == {"grouping": [related["grouping"]]}


async def test_a_batch_is_stored_whole_or_not_at_all(lrs: Lrs) -> None:
    """One bad, or one conflicting, statement keeps out all of its batch (§3.2)."""
    there = new_id()
    await lrs.post(statement(id=there))
    for bad, status in ((statement(verb="x") | {"verb": {"id": "no iri"}}, 400), (statement("bob", id=there), 409)):
        good = statement(id=new_id())
        assert (await lrs.call("POST", "statements", json=[good, bad])).status == status
        assert (await lrs.call("GET", "statements", {"statementId": good["id"]})).status == 404
    assert await lrs.find() == [there]


async def test_a_repeat_is_no_conflict(lrs: Lrs) -> None:
    """A batch sent again, or in part, changes nothing and is answered as before (xAPI-Data §2.3.1)."""
    batch = [statement(id=new_id()) for _ in range(3)]
    for original in (batch, batch, [*batch[:2], statement(id=new_id())]):
        assert await lrs.post(original) == [statement["id"] for statement in original]
    assert len(await lrs.find()) == 4


async def test_an_id_twice_in_a_batch_is_a_repeat_in_1_0_3_and_refused_in_2_0(lrs: Lrs) -> None:
    """The versions differ: 2.0 refuses the batch, 1.0.3 stores the statement once; another body is a conflict."""
    own_statement = statement(id=new_id())
    assert (await lrs.speaking("2.0.0").call("POST", "statements", json=[own_statement, own_statement])).status == 400
    assert await lrs.post([own_statement, own_statement]) == [own_statement["id"]] * 2
    second = statement(id=new_id())
    assert (await lrs.call("POST", "statements", json=[second, {**second, "actor": agent("bob")}])).status == 409
    assert await lrs.find() == [own_statement["id"]]


X, Y = ({"mbox": f"mailto:{name}@a.example.org"} for name in "xy")
REGISTRATION = "3f2504e0-4f89-41d3-9a0c-0305e82c33ab"
RESPELT: list[tuple[dict[str, Any], dict[str, Any]]] = [
    ({"actor": {"objectType": "Group", "member": [X, Y]}}, {"actor": {"objectType": "Group", "member": [Y, X]}}),
    ({"actor": X}, {"actor": {"mbox": "mailto:x@A.Example.ORG"}}),
    ({"context": {"registration": REGISTRATION}}, {"context": {"registration": REGISTRATION.upper()}}),
    ({"timestamp": "2026-05-04T10:00:00Z"}, {"timestamp": "2026-05-04T11:00:00.0004+01:00"}),
    ({"result": {"duration": "PT1.129S"}}, {"result": {"duration": "PT1.12S"}}),
    ({}, {"timestamp": "2026-05-04T10:00:00Z", "stored": "2026-05-04T10:00:00Z"}),
]


@pytest.mark.parametrize("version", ["1.0.3", "2.0.0"])
async def test_the_same_told_otherwise_is_a_repeat(lrs: Lrs, version: str) -> None:
    """What differs by an exception of xAPI-Data §2.3.1 alone, or by the order of properties, changes nothing."""
    for first, second in RESPELT:
        own_statement = statement(id=new_id(), **first)
        again = dict(reversed((own_statement | second).items()))
        await lrs.speaking(version).post(own_statement)
        assert await lrs.speaking(version).post(again) == [own_statement["id"]], second
        answer = await lrs.speaking(version).call("PUT", "statements", {"statementId": own_statement["id"]}, json=again)
        assert answer.status == 204, second
    assert len(await lrs.find()) == len(RESPELT)


async def test_many_at_once_store_each_statement_once(lrs: Lrs) -> None:
    """Requests that come at the same moment, repeats among them, are each answered for themselves."""
    statements = [statement(id=new_id()) for _ in range(15)]
    rival = [{**statement, "actor": agent("rival")} for statement in statements]
    answers = await asyncio.gather(
        *[lrs.call("POST", "statements", json=statement) for statement in [*statements, *statements, *rival]]
    )
    statuses = [answer.status for answer in answers]
    for number, sent_statement in enumerate(statements):
        won = (await lrs.get(sent_statement["id"]))["actor"] == sent_statement["actor"]
        assert statuses[number::15] == ([200, 200, 409] if won else [409, 409, 200])
    assert sorted(await lrs.find()) == sorted(statement["id"] for statement in statements)


async def test_one_that_cannot_be_stored_takes_no_others_along(services: wiring.Services) -> None:
    """Requests that come at once answer for themselves: what the store does not take fails alone."""
    assert services.lrs is not None
    by = Credential("all", {"objectType": "Agent", **agent("all")}, frozenset(["all"]))
    (small,), (big,), (second,) = [
        parsing.parse_batch(orjson.dumps(statement(id=new_id())), "1.0.3", 2**20) for _ in range(3)
    ]
    big = replace(big, raw=bytes(17 * 2**20))
    accept = services.lrs.writer.store
    results = await asyncio.gather(
        *[accept([statement], by, "1.0.3") for statement in (small, big, second)], return_exceptions=True
    )
    assert [type(result) for result in (results[0], results[2])] == [type(None)] * 2
    assert isinstance(results[1], PyMongoError)
    assert len(await services.stores.lrs_ledger.rows_of([small.statement_id, second.statement_id])) == 2


async def test_formats(lrs: Lrs) -> None:
    """``ids`` keeps what identifies, ``canonical`` one language of the newest definition, ``exact`` what came."""
    definition = {"name": {"en": "Book", "fr": "Livre"}, "type": "https://t.example.org/book"}
    group = {"objectType": "Group", "name": "Two", "member": [{**agent("ada"), "name": "Ada"}]}
    original = statement(actor=group, object={"id": "https://t.example.org/1", "definition": definition})
    original["verb"]["display"] = {"en": "read", "fr": "a lu"}
    (statement_id,) = await lrs.post(original)
    assert (await lrs.get(statement_id))["object"] == original["object"]
    ids = await lrs.get(statement_id, format="ids")
    assert (ids["actor"], ids["object"], ids["verb"]) == (
        {"objectType": "Group", "member": [agent("ada")]},
        {"id": "https://t.example.org/1"},
        {"id": original["verb"]["id"]},
    )
    newer = {"id": "https://t.example.org/1", "definition": {"name": {"fr": "Le livre"}}}
    await lrs.post(statement(object=newer))
    answer = await lrs.call(
        "GET",
        "statements",
        {"statementId": statement_id, "format": "canonical"},
        headers={"Accept-Language": "fr, en;q=0.5"},
    )
    body = await answer.json()
    assert body["verb"]["display"] == {"fr": "a lu"}
    assert body["object"]["definition"] == {"name": {"fr": "Le livre"}, "type": "https://t.example.org/book"}


WRONG_PARAMETERS: list[dict[str, str]] = [
    {"foo": "bar"},
    {"Agent": "{}"},
    {"agent": "{}"},
    {"agent": "not json"},
    {"verb": "read"},
    {"activity": "book"},
    {"registration": "1"},
    {"since": "yesterday"},
    {"limit": "-1"},
    {"ascending": "maybe"},
    {"format": "nice"},
    {"statementId": "0b0e8b1c-3c8a-4c5c-8c39-3a3b0f6f2a11", "limit": "1"},
    {
        "statementId": "0b0e8b1c-3c8a-4c5c-8c39-3a3b0f6f2a11",
        "voidedStatementId": "0b0e8b1c-3c8a-4c5c-8c39-3a3b0f6f2a11",
    },
    {"more": "bm90IG91cnM"},
]


async def test_a_parameter_that_is_wrong_is_refused(lrs: Lrs, subtests: pytest.Subtests) -> None:
    """An unknown, misspelt, malformed or ill-matched parameter is 400; the header of consistency is there (§2.1.3)."""
    for params in WRONG_PARAMETERS:
        with subtests.test(params=params):
            answer = await lrs.call("GET", "statements", params)
            assert (answer.status, THROUGH in answer.headers) == (400, True), await answer.text()


async def test_the_headers_of_an_answer(lrs: Lrs) -> None:
    """Each answer names the version; one of statements up to when it is whole; a single one when it was stored."""
    (statement_id,) = await lrs.post(statement())
    answer = await lrs.call("GET", "statements", {"statementId": statement_id})
    stored = datetime.fromisoformat((await answer.json())["stored"])
    assert answer.headers["X-Experience-API-Version"] == "1.0.3"
    assert datetime.fromisoformat(answer.headers[THROUGH]) >= stored
    assert parsedate_to_datetime(answer.headers["Last-Modified"]) == stored.replace(microsecond=0)


async def test_head_answers_as_get_does_without_the_body(lrs: Lrs) -> None:
    """HEAD has the headers of GET and no body, with attachments too (§1.1)."""
    (statement_id,) = await lrs.post(statement())
    for params in ({"statementId": statement_id}, {}, {"attachments": "true"}):
        get_answer, head = [await lrs.call(method, "statements", params) for method in ("GET", "HEAD")]
        assert (head.status, await head.read()) == (200, b"")
        kinds = [answer.headers["Content-Type"].partition(";")[0] for answer in (get_answer, head)]
        assert kinds[0] == kinds[1]


OTHER_VERSIONS: list[str] = ["", "0.95", "1.1", "1.0.3.1", "2.1.0", "x"]


async def test_only_versions_that_are_spoken_here_are_answered(lrs: Lrs, subtests: pytest.Subtests) -> None:
    """Anything but 1.0.x and 2.0.x is 400, everywhere but on About (§3.3)."""
    for version in OTHER_VERSIONS:
        with subtests.test(version):
            for path in (
                "statements",
                "activities",
                "agents",
                "activities/state",
                "activities/profile",
                "agents/profile",
            ):
                answer = await lrs.speaking(version).call("GET", path)
                assert (answer.status, "X-Experience-API-Version" in answer.headers) == (400, True)
            assert (await lrs.speaking("").call("GET", "about", headers={"Authorization": ""})).status == 200


async def test_versions_are_told_as_the_client_knows_them(lrs: Lrs) -> None:
    """About lists 2.0.0 to all but clients of 1.0.x, whose specification does not know it (§2.8)."""
    fields = {
        version: await (await lrs.speaking(version).call("GET", "about")).json() for version in ("", "1.0.3", "2.0.0")
    }
    assert "2.0.0" in fields[""]["version"]
    assert "2.0.0" in fields["2.0.0"]["version"]
    assert fields["1.0.3"]["version"] == ["1.0.0", "1.0.1", "1.0.2", "1.0.3"]


async def test_the_alternate_request_syntax(lrs: Lrs) -> None:
    """In 1.0.3 a POST can be any method, its form holding headers, parameters and content; 2.0 has none (§1.3)."""
    statement_id = new_id()
    form = {"statementId": statement_id, "content": orjson.dumps(statement()).decode()}
    kind = {"Content-Type": "application/x-www-form-urlencoded"}

    async def send(method: str, fields: dict[str, str], as_: Lrs = lrs, **extra: str) -> int:
        data = urlencode(fields).encode()
        return (await as_.call("POST", "statements", {"method": method, **extra}, data=data, headers=kind)).status

    assert await send("PUT", form, lrs.speaking("2.0.0")) == 400
    assert await send("PUT", {**form, "X-Experience-API-Version": "0.8"}) == 400
    assert await send("PUT", form, statementId=statement_id) == 400
    assert await send("PUT", {"statementId": statement_id}) == 400
    assert await send("PATCH", form) == 405
    assert await send("PUT", form) == 204
    assert await send("GET", {"statementId": statement_id}) == 200
    assert await send("GET", {"limit": "1"}) == 200
    assert (await lrs.call("PUT", "statements", {"method": "POST"}, json=statement())).status == 400


async def test_head_in_the_alternate_syntax_has_no_body(lrs: Lrs) -> None:
    """A form that stands for HEAD is answered with the headers alone, whether it finds something or is refused."""
    (statement_id,) = await lrs.post(statement())
    kind = {"Content-Type": "application/x-www-form-urlencoded"}
    for fields, status in (({"statementId": statement_id}, 200), ({"attachments": "true"}, 200), ({"foo": "1"}, 400)):
        answer = await lrs.call("POST", "statements?method=HEAD", data=urlencode(fields).encode(), headers=kind)
        assert (answer.status, await answer.read()) == (status, b""), fields


STRANGE_FORMS: list[tuple[bytes, int]] = [
    (b"&".join(b"%x=" % n for n in range(100_000)), 400),
    (b"agent=" + b"%41" * 300_000, 413),
    (b"content=" + b"%41" * 300_000, 401),
    (b"content=a&content=b", 400),
    (b"verb=%ff", 400),
    (b"verb=\xff", 400),
]


async def test_a_form_of_a_stranger_costs_little(lrs: Lrs, subtests: pytest.Subtests) -> None:
    """Before the credential is known, which it may hold, a form is taken apart in a few short fields and no more."""
    for form, status in STRANGE_FORMS:
        with subtests.test(form=form[:20]):
            with patch("bridge.lrs.calls.unquote_to_bytes", side_effect=AssertionError):
                answer = await lrs.call(
                    "POST",
                    "statements?method=PUT",
                    data=form,
                    headers={"Authorization": "", "Content-Type": "application/x-www-form-urlencoded"},
                )
            assert answer.status == status


def tampered(**changes: Any) -> str:
    """The text of a ``more`` link in which something was changed."""
    query = {**asdict(PageRequest(("00" * 12,), (), None, None, True, 0, "exact", False)), **changes}
    return base64.urlsafe_b64encode(orjson.dumps(list(query.values()))).decode().rstrip("=")


TAMPERED_LINKS: list[dict[str, Any]] = [
    {"keys": []},
    {"keys": ["xy"]},
    {"limit": -1},
    {"since": 2**64 - 1},
    {"since": 1e300},
    {"until": -(2**63)},
    {"after": [2**64 - 1, "x"]},
]


async def test_a_link_that_was_tampered_with_is_refused(lrs: Lrs, subtests: pytest.Subtests) -> None:
    """What no answer of ours has held in ``more`` is 400, whatever the store would make of it."""
    for changes in TAMPERED_LINKS:
        with subtests.test(changes=changes):
            assert (await lrs.call("GET", "statements", {"more": tampered()})).status == 200
            assert (await lrs.call("GET", "statements", {"more": tampered(**changes)})).status == 400


async def test_what_is_not_offered(lrs: Lrs) -> None:
    """Other methods, places and content types are refused in the LRS's own words."""
    cases = [("DELETE", "statements", 405), ("PUT", "agents", 405), ("GET", "nowhere", 404), ("POST", "about", 405)]
    for method, path, status in cases:
        answer = await lrs.call(method, path)
        assert (answer.status, answer.content_type) == (status, "application/json"), path
    for kind in ("text/plain", "multipart/form-data; boundary=x", ""):
        answer = await lrs.call("POST", "statements", data=b"{}", headers={"Content-Type": kind})
        assert answer.status == 400
    assert (await lrs.call("POST", "statements", data=b"{", headers={"Content-Type": "application/json"})).status == 400
