"""While the store answers with errors, no call of the API or the LRS is told of a fault of ours: it is 503."""

from __future__ import annotations

import base64
import json
import re
from collections import Counter
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from aiohttp import ClientResponse
from pydantic import SecretStr
from pymongo import errors

from bridge import wiring
from bridge.services.lrs.credentials import hash_secret
from bridge.settings import Settings
from bridge.store.faults import is_outage, why
from tests.support.calls import Calls, calls
from tests.support.portal import full_entry, full_item
from tests.support.refusals import How, refusing_store
from tests.support.statements import account, activity_of, completed, member

BODIES: dict[str, Any] = {
    "POST /v1/log": full_entry(),
    "POST /v1/plan": full_item(),
    "PUT /v1/members/{member_id}": member("1"),
    "POST /v1/periods/{period_id}/comments": {"text": "A comment"},
    "POST /v1/support-grants": {"hours": 1},
}
XAPI_AGENT = {"agent": json.dumps(account("1")), "activityId": activity_of("course/1")["id"]}
XAPI: list[tuple[str, str, dict[str, str], Any]] = [
    ("GET", "/xapi/statements", {}, None),
    ("GET", "/xapi/statements", {"statementId": "5e3f5a0e-2f4b-4a8e-9d6f-7a3d1f1b2c3d"}, None),
    ("POST", "/xapi/statements", {}, [completed(), completed()]),
    ("PUT", "/xapi/activities/profile", {**XAPI_AGENT, "profileId": "p"}, {"a": 1}),
    ("PUT", "/xapi/activities/state", {**XAPI_AGENT, "stateId": "s"}, {"a": 1}),
    ("GET", "/xapi/activities/state", XAPI_AGENT, None),
    ("DELETE", "/xapi/activities/state", XAPI_AGENT, None),
    ("GET", "/xapi/agents", XAPI_AGENT, None),
    ("GET", "/xapi/activities", XAPI_AGENT, None),
]


REFUSALS: list[tuple[int, How]] = [(1, "command"), (13, "command"), (14031, "write"), (987654, "command")]


async def test_each_call_says_503(settings: Settings, tmp_path: Path) -> None:
    """Every operation with the right role: 503 with ``Retry-After``, or a refusal that needs no store; never 500."""
    file = tmp_path / "credentials.json"
    entry = {"key": "key", "secret_hash": hash_secret("secret"), "authority": account("lrs"), "scopes": ["all"]}
    file.write_text(json.dumps([entry]))
    address = urlsplit(settings.mongo_url.get_secret_value())
    async with refusing_store(str(address.hostname), address.port or 27017) as store:
        url = SecretStr(f"mongodb://127.0.0.1:{store.port}/?retryWrites=false&directConnection=true")
        through = settings.model_copy(update={"mongo_url": url, "lrs_credentials_file": file})
        async with wiring.services(through) as services, calls(through, services) as ops:
            await services.stores.prepare()
            await ops.by("platform", "platform")("PUT", "/v1/members/m-1", member("1"))
            for code, how in REFUSALS:
                with store.refusing(code, how):
                    statuses = await _every_operation(ops) | await _every_resource(ops)
                assert not [route for route, status in statuses.items() if status >= 500 and status != 503]
                assert Counter(statuses.values())[503] > (20 if how == "write" else 50), statuses
                assert statuses["POST /v1/log"] == statuses["POST /xapi/statements"] == 503
                assert statuses["GET /health/ready"] == 503


async def _every_operation(ops: Calls) -> dict[str, int]:
    document = (await (await ops.client.get("/openapi.json")).json())["paths"]
    statuses: dict[str, int] = {}
    for path, operations in document.items():
        for method, operation in operations.items():
            roles = [role for need in operation.get("security", []) for role in need["bearer"]]
            caller = ops.by("m-1", roles[0]) if roles else ops
            route = f"{method.upper()} {path}"
            statuses[route] = await _status(caller, method, _filled(path), BODIES.get(route))
    return statuses


async def _status(caller: Calls, method: str, path: str, body: Any) -> int:
    async with caller.asked(method.upper(), path, {} if body is None and method != "get" else body) as answer:
        return _says_when(answer)


def _says_when(answer: ClientResponse) -> int:
    """The status of an answer; a call that is 503 may come again after the seconds that it names."""
    is_probe = answer.url.path == "/health/ready"
    assert answer.status != 503 or is_probe or int(answer.headers["Retry-After"]) > 0, answer.url
    return answer.status


def _filled(path: str) -> str:
    ids = {"period_id": "2026-04-01", "member_id": "m-1", "form": "log-1"}
    return re.sub(r"\{(\w+)\}", lambda name: ids.get(name[1], "nothing"), path)


async def _every_resource(ops: Calls) -> dict[str, int]:
    basic = base64.b64encode(b"key:secret").decode()
    headers = {"Authorization": f"Basic {basic}", "X-Experience-API-Version": "1.0.3"}
    statuses: dict[str, int] = {}
    for method, path, query, body in XAPI:
        async with ops.client.request(method, path, params=query, headers=headers, json=body) as answer:
            statuses[f"{method} {path}"] = _says_when(answer)
    return statuses


FULL = {"code": 14031, "errmsg": "no room for 'Sam'"}
DUPLICATE = {"index": 0, "code": 11000, "errmsg": "duplicate"}


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (errors.DuplicateKeyError("taken", 11000), None),
        (errors.WriteError("not valid", 121), None),
        (errors.OperationFailure("too large", 10334), None),
        (errors.WriteError("too large", 17419), None),
        (errors.DocumentTooLarge("too large"), None),
        (
            errors.BulkWriteError({"writeErrors": [DUPLICATE, {**DUPLICATE, "code": 121}], "writeConcernErrors": []}),
            None,
        ),
        (errors.BulkWriteError({"writeErrors": [DUPLICATE, FULL], "writeConcernErrors": []}), "disk full"),
        (errors.BulkWriteError({"writeErrors": [DUPLICATE], "writeConcernErrors": [{"code": 64}]}), "no majority"),
        (errors.OperationFailure("no code"), "error"),
        (errors.WTimeoutError("slow", 64), "no majority"),
        (errors.CursorNotFound("gone", 43), "error 43"),
        (errors.NotPrimaryError("stepped down"), "no primary"),
        (errors.ServerSelectionTimeoutError("sam:hunter2@store"), "no answer"),
        (errors.ConfigurationError("no sessions"), "unreadable answer"),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Exception) else str(value),
)
def test_whose_fault_an_answer_is(error: errors.PyMongoError, reason: str | None) -> None:
    """Only what was to be written can cause its own refusals; a bulk write is an outage when any part of it is."""
    assert (why(error) if is_outage(error) else None) == reason
