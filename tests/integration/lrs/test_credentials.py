"""Who may do what: credentials, scopes, what is mine, rates (xAPI-Communication §4)."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import Awaitable, Callable
from typing import Any

import orjson
import pytest
from aiohttp.test_utils import TestClient

from bridge import metrics, wiring
from bridge.api.app import create_app
from bridge.serve import parts
from bridge.settings import Settings
from tests.integration.lrs.client import Lrs, agent, new_id, statement, voiding
from tests.support.portal import Server
from tests.support.scrape import read

ADA = orjson.dumps(agent("ada")).decode()
STATE = {"activityId": "https://things.example.org/book", "agent": ADA, "stateId": "one"}


def basic(text: str) -> str:
    """The header of a key and its secret."""
    return "Basic " + base64.b64encode(text.encode()).decode()


UNKNOWN: list[str] = [
    *("", basic("all:wrong"), basic("nobody:secret"), basic("all"), basic(":")),
    *("Basic:all", "Bearer all", "Basic ???", "Basic \u00e9\u00e9\u00e9\u00e9", "Basic /w=="),
]


async def test_who_is_not_known_is_401(lrs: Lrs, subtests: pytest.Subtests) -> None:
    """A missing, malformed or wrong credential is 401 with the way to authenticate, and stores nothing."""
    for header in UNKNOWN:
        with subtests.test(header):
            answer = await lrs.call("POST", "statements", json=statement(), headers={"Authorization": header})
            assert answer.status == 401
            assert answer.headers["WWW-Authenticate"].startswith("Basic ")
            assert await lrs.find() == []


async def test_who_is_refused_is_counted(lrs: Lrs) -> None:
    """An unknown credential, and one without the scope, are access denials; what is not there is none."""
    before = denials()
    await lrs.call("GET", "statements", headers={"Authorization": basic("all:wrong")})
    await lrs.as_("reader").call("POST", "statements", json=statement())
    await lrs.call("GET", "statements", {"statementId": "7f3c6a39-9c3b-4b0e-8d50-3a1f6d7b0c11"})
    assert denials() - before == 2


def denials() -> float:
    """Denials of the LRS that this process has counted."""
    return read(metrics.exposition()[0].decode()).value("cpd_bridge_access_denials_total", role="lrs") or 0


async def test_each_scope_allows_what_it_names(lrs: Lrs) -> None:
    """A credential does what its scopes name and gets 403 for all else."""
    calls: dict[str, tuple[str, str, dict[str, str] | None, dict[str, Any] | None]] = {
        "write": ("POST", "statements", None, statement()),
        "read": ("GET", "statements", None, None),
        "state": ("POST", "activities/state", STATE, {}),
        "profile": ("POST", "agents/profile", {"agent": ADA, "profileId": "one"}, {}),
    }
    rights = {"all": set(calls), "content": {"write", "read", "state"}, "reader": {"read"}, "profiles": {"profile"}}
    for key, may in rights.items():
        for name, (method, path, params, body) in calls.items():
            answer = await lrs.as_(key).call(method, path, params, json=body)
            assert (answer.status == 403) is (name not in may), (key, name, answer.status)


async def test_a_reader_of_their_own_sees_nothing_else(lrs: Lrs) -> None:
    """With statements/read/mine only what was stored with the same authority is found, in lists or alone."""
    (foreign_id,) = await lrs.post(statement())
    (own_id,) = await lrs.as_("content").post(statement())
    content = lrs.as_("content")
    assert await content.find() == [own_id]
    assert await content.find(agent=ADA, verb="https://verbs.example.org/read") == [own_id]
    assert (await content.call("GET", "statements", {"statementId": foreign_id})).status == 404
    assert await lrs.as_("reader").find() == [own_id, foreign_id]


async def test_a_credential_voids_only_what_it_stored(lrs: Lrs) -> None:
    """A credential without ``all`` gets 403 for voiding what another stored, and may void its own."""
    (foreign_id,) = await lrs.post(statement())
    (own_id,) = await lrs.as_("content").post(statement())
    assert (await lrs.as_("content").call("POST", "statements", json=voiding(foreign_id))).status == 403
    await lrs.as_("content").post(voiding(own_id))
    assert (await lrs.call("GET", "statements", {"statementId": foreign_id})).status == 200


async def test_what_another_stores_is_not_voided_before_it_comes(lrs: Lrs) -> None:
    """Nor may a credential without ``all`` void what is still to come, unless it comes in the same batch."""
    foreign_statement, own_statement = statement(id=new_id()), statement(id=new_id())
    assert (await lrs.as_("content").call("POST", "statements", json=voiding(foreign_statement["id"]))).status == 403
    await lrs.post(foreign_statement)
    again = await lrs.as_("content").call(
        "POST", "statements", json=[foreign_statement, voiding(foreign_statement["id"])]
    )
    assert again.status == 403, "theirs sent once more does not become mine"
    assert (await lrs.call("GET", "statements", {"statementId": str(foreign_statement["id"])})).status == 200
    await lrs.as_("content").post([own_statement, voiding(own_statement["id"])])
    assert (await lrs.call("GET", "statements", {"voidedStatementId": str(own_statement["id"])})).status == 200


async def test_what_is_known_of_activities_and_agents(lrs: Lrs) -> None:
    """An Activity is answered with all that its definitions say; a Person with the names that statements gave."""
    activity = {"id": "https://things.example.org/1", "definition": {"name": {"en": "One"}}}
    french = {"id": "https://things.example.org/1", "definition": {"name": {"fr": "Un"}}}
    await lrs.post([statement(actor={**agent("ada"), "name": "Ada"}, object=activity), statement(object=french)])
    answer = await lrs.call("GET", "activities", {"activityId": str(activity["id"])})
    assert await answer.json() == {
        "objectType": "Activity",
        **activity,
        "definition": {"name": {"en": "One", "fr": "Un"}},
    }
    unknown = await lrs.call("GET", "activities", {"activityId": "https://things.example.org/none"})
    assert await unknown.json() == {"objectType": "Activity", "id": "https://things.example.org/none"}
    person = {"objectType": "Person", "account": [agent("ada")["account"]]}
    assert await (await lrs.call("GET", "agents", {"agent": ADA})).json() == {**person, "name": ["Ada"]}
    assert await (await lrs.as_("profiles").call("GET", "agents", {"agent": ADA})).json() == person
    for path in ("activities", "agents"):
        assert (await lrs.call("GET", path)).status == 400


async def test_too_many_calls_are_429(
    services: wiring.Services,
    lrs_settings: Settings,
    aiohttp_client: Callable[..., Awaitable[TestClient[Any, Any]]],
) -> None:
    """Beyond the limit a credential waits as long as it is told, and others do not."""
    limited_settings = lrs_settings.model_copy(update={"lrs_rate_limit": "5/minute"})
    lrs = Lrs(await aiohttp_client(Server(create_app(limited_settings, parts(services, limited_settings)))))
    answers = await asyncio.gather(*[lrs.call("GET", "statements") for _ in range(6)])
    refusals = [answer for answer in answers if answer.status == 429]
    assert len(refusals) == 1
    assert int(refusals[0].headers["Retry-After"]) > 0
    assert (await lrs.as_("reader").call("GET", "statements")).status == 200
