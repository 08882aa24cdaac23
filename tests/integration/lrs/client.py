"""A small xAPI client for the tests, and statements of our own."""

from __future__ import annotations

import base64
import hashlib
import uuid
from collections.abc import AsyncIterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import IO, Any

import orjson
from aiohttp import ClientResponse
from aiohttp.test_utils import TestClient

JSON = "application/json"
BOUNDARY = "parts-of-a-test"


@dataclass(frozen=True)
class Lrs:
    """Calls ``/xapi/``; ``version`` and ``key`` go with every call unless ``headers`` say otherwise."""

    http: TestClient[Any, Any]
    version: str = "1.0.3"
    key: str = "all"

    def as_(self, key: str) -> Lrs:
        """The same LRS with another credential."""
        return replace(self, key=key)

    def speaking(self, version: str) -> Lrs:
        """The same LRS in another version."""
        return replace(self, version=version)

    async def call(
        self,
        method: str,
        path: str,
        params: Mapping[str, str] | None = None,
        *,
        json: Any = None,
        data: bytes | IO[bytes] | AsyncIterable[bytes] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> ClientResponse:
        """Make one call."""
        secret = base64.b64encode(f"{self.key}:secret".encode()).decode()
        credentials = {"Authorization": f"Basic {secret}", "X-Experience-API-Version": self.version}
        if json is not None:
            data, credentials["Content-Type"] = orjson.dumps(json), JSON
        request_headers = {name: value for name, value in {**credentials, **(headers or {})}.items() if value}
        return await self.http.request(method, f"/xapi/{path}", params=params, data=data, headers=request_headers)

    async def post(self, statements: Any) -> list[str]:
        """Store statements and return their ids."""
        answer = await self.call("POST", "statements", json=statements)
        assert answer.status == 200, await answer.text()
        return await answer.json()

    async def find(self, **params: str) -> list[str]:
        """Return the ids of the statements that a query finds, in order, through all its pages."""
        answer = await self.call("GET", "statements", params)
        ids: list[str] = []
        while True:
            assert answer.status == 200, await answer.text()
            page = await answer.json()
            ids += [statement["id"] for statement in page["statements"]]
            if not page["more"]:
                return ids
            answer = await self.call("GET", page["more"].removeprefix("/xapi/"))

    async def get(self, statement_id: str, **params: str) -> dict[str, Any]:
        """Return one statement."""
        answer = await self.call("GET", "statements", {"statementId": statement_id, **params})
        assert answer.status == 200, await answer.text()
        return await answer.json()

    async def post_parts(self, statements: Any, parts: Sequence[tuple[Mapping[str, str], bytes]]) -> ClientResponse:
        """Store statements with attachments."""
        body = multipart([({"Content-Type": JSON}, orjson.dumps(statements)), *parts])
        headers = {"Content-Type": f"multipart/mixed; boundary={BOUNDARY}"}
        return await self.call("POST", "statements", data=body, headers=headers)


def multipart(parts: Sequence[tuple[Mapping[str, str], bytes]]) -> bytes:
    """Write a multipart body (RFC 2046)."""
    whole = b""
    for headers, content in parts:
        lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
        whole += f"--{BOUNDARY}\r\n{lines}\r\n".encode() + content + b"\r\n"
    return whole + f"--{BOUNDARY}--\r\n".encode()


def agent(name: str) -> dict[str, Any]:
    """An Agent known by its account."""
    return {"account": {"homePage": "https://members.example.org", "name": name}}


def statement(name: str = "ada", verb: str = "read", path: str = "book", **extra: Any) -> dict[str, Any]:
    """A statement; ``extra`` replaces top-level properties, and None removes one."""
    credential: dict[str, Any] = {
        "actor": agent(name),
        "verb": {"id": f"https://verbs.example.org/{verb}"},
        "object": {"id": f"https://things.example.org/{path}"},
        **extra,
    }
    return {key: value for key, value in credential.items() if value is not None}


def voiding(target: str) -> dict[str, Any]:
    """A statement that voids another."""
    return statement(verb="", object={"objectType": "StatementRef", "id": target}) | {
        "verb": {"id": "http://adlnet.gov/expapi/verbs/voided"}
    }


def new_id() -> str:
    """A fresh statement id."""
    return str(uuid.uuid4())


def attachment(data: bytes, **extra: Any) -> dict[str, Any]:
    """An attachment object for some data."""
    return {
        "usageType": "https://uses.example.org/notes",
        "display": {"en": "Notes"},
        "contentType": "text/plain",
        "length": len(data),
        "sha2": hashlib.sha256(data).hexdigest(),
        **extra,
    }


def part(data: bytes, **headers: str) -> tuple[dict[str, str], bytes]:
    """A part with an attachment's data; ``headers`` replace its headers, and an empty one is left out."""
    usual = {
        "Content-Type": "text/plain",
        "Content-Transfer-Encoding": "binary",
        "X-Experience-API-Hash": hashlib.sha256(data).hexdigest(),
    }
    header_fields = {name.replace("_", "-"): value for name, value in headers.items()}
    return {name: value for name, value in {**usual, **header_fields}.items() if value}, data
