"""Answers of ``/xapi/`` that are made before, or instead of, a resource: each is whole, with the LRS's headers."""

from __future__ import annotations

import asyncio
import io
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from aiohttp.test_utils import TestClient

from bridge import wiring
from bridge.api.app import create_app
from bridge.serve import parts
from bridge.settings import Settings
from tests.integration.api.sample import raw
from tests.integration.lrs.client import Lrs, statement
from tests.support.portal import Server

PORTAL = "https://portal.example.org"
THROUGH, VERSION = b"x-experience-api-consistent-through:", b"x-experience-api-version:"
PATHS = ("statements", "about", "activities", "activities/state", "agents/profile", "nowhere", "")


@pytest.fixture
async def lrs_settings(lrs_settings: Settings) -> Settings:
    """The settings with a portal on another origin, and little patience."""
    return lrs_settings.model_copy(update={"cors_origins": (PORTAL,), "request_timeout": 1.0})


async def asked(lrs: Lrs, method: str, path: str, *headers: str) -> tuple[int, bytes]:
    """The status and the head, in lower case, of an answer to a request as it is."""
    lines = "".join(f"{header}\r\n" for header in ("Host: x", "Connection: close", *headers))
    head, _ = await raw(lrs.http, f"{method} /xapi/{path} HTTP/1.1\r\n{lines}\r\n".encode())
    return int(head.split()[1]), head.lower()


PREFLIGHT_PATHS: list[str] = [*PATHS, "statements?statementId=0b0f2f0c-5c1e-4c0e-8a52-6b6d1f7d2a01"]


async def test_a_preflight(lrs: Lrs, subtests: pytest.Subtests) -> None:
    """Content on the portal's origin may ask on each path that there is."""
    for path in PREFLIGHT_PATHS:
        with subtests.test(path):
            header_names = "authorization,content-type,x-experience-api-version"
            asks = ("Access-Control-Request-Method: POST", f"Access-Control-Request-Headers: {header_names}")
            status, head = await asked(lrs, "OPTIONS", path, f"Origin: {PORTAL}", *asks)
            assert status == (404 if path in {"nowhere", ""} else 204)
            assert f"access-control-allow-origin: {PORTAL}".encode() in head
            if path.startswith("statements"):
                assert THROUGH in head


MALFORMED_QUERIES: list[str] = [
    "verb=%FF",
    "activity=%ED%A0%80",
    "limit=%00",
    "a=%zz",
    "a=%",
    "method=PUT&a=%c0%af",
    "more=%f8",
]


async def test_a_malformed_address(lrs: Lrs, subtests: pytest.Subtests) -> None:
    """It is 400 with the headers of the resource, on every path, whichever the method."""
    for query in MALFORMED_QUERIES:
        with subtests.test(query):
            for path in PATHS:
                for method in ("GET", "POST", "OPTIONS"):
                    status, head = await asked(lrs, method, f"{path}?{query}", "X-Experience-API-Version: 1.0.3")
                    assert status == 400, (method, path)
                    assert VERSION in head or path == ""
                    assert THROUGH in head or path != "statements"


@pytest.mark.parametrize("path", PATHS)
async def test_an_unknown_expectation(lrs: Lrs, path: str) -> None:
    """It is 417, as a problem."""
    status, head = await asked(lrs, "GET", path, "Expect: the-unexpected")
    assert (status, b"application/problem+json" in head) == (417, True)


async def test_methods_and_sizes(lrs: Lrs) -> None:
    """405 names what is offered, before anything is asked of the caller; 413 comes before the body."""
    for path, expected in (
        ("statements", b"get, head, put, post"),
        ("about", b"get, head"),
        ("activities", b"get, head"),
        ("activities/state", b"get, head, put, post, delete"),
    ):
        for method in ("PATCH", "TRACE", "PROPFIND"):
            status, head = await asked(lrs, method, path)
            assert (status, b"\r\nallow: " + expected + b"\r\n" in head) == (405, True), (method, path)
    assert (await lrs.call("POST", "statements?method=PATCH", data=b"")).status == 405
    for headers in ({"Content-Type": "application/json"}, {"Content-Type": "text/plain"}):
        answer = await lrs.call("POST", "statements", data=io.BytesIO(b"[" * (17 * 2**20)), headers=headers)
        assert answer.status == (413 if "json" in headers["Content-Type"] else 400)


FORM = "Content-Type: application/x-www-form-urlencoded"


STOPPING_BODIES: list[tuple[str, str, str]] = [
    ("statements?method=PUT", FORM, "statementId=x"),
    ("statements?method=PUT", FORM, "Authorization=Basic%20{basic}&content=%7B"),
    ("statements", "Content-Type: application/json", "["),
    ("statements", "Content-Type: multipart/mixed; boundary=b", "--b\r\nContent-Type: application/json\r\n\r\n{{"),
    ("activities/state?activityId=a:b&stateId=s&agent=%7B%22mbox%22:%22mailto:a@b.org%22%7D", "X: x", "x"),
]


async def test_a_body_that_does_not_come(
    services: wiring.Services,
    lrs_settings: Settings,
    aiohttp_client: Callable[..., Awaitable[TestClient[Any, Any]]],
    subtests: pytest.Subtests,
) -> None:
    """Whatever the resource, a body that stops has its time: the portal's, and that of files for attachments."""
    for target, header, first_line in STOPPING_BODIES:
        with subtests.test(target):
            hasty = lrs_settings.model_copy(update={"request_timeout": 0.3, "transfer_timeout": 0.6})
            lrs = Lrs(await aiohttp_client(Server(create_app(hasty, parts(services, hasty)))))
            basic = "YWxsOnNlY3JldA=="  # all:secret
            headers = ("Host: x", f"Authorization: Basic {basic}", "X-Experience-API-Version: 1.0.3", header)
            reader, writer = await asyncio.open_connection(lrs.http.host, lrs.http.port)
            lines = "".join(f"{line}\r\n" for line in (*headers, "Content-Length: 100000"))
            writer.write(f"POST /xapi/{target} HTTP/1.1\r\n{lines}\r\n{first_line.format(basic=basic)}".encode())
            head = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 10)
            assert b" 503 " in head
            writer.close()


async def test_a_credential_comes_first(lrs: Lrs) -> None:
    """In a form the credential stands in the first part; behind a long content it is not looked for."""
    content = "content=" + "%20" * 100_000 + "%7B%7D"
    credential = "Authorization=Basic%20YWxsOnNlY3JldA%3D%3D&X-Experience-API-Version=1.0.3"
    request_headers = {
        "Authorization": "",
        "X-Experience-API-Version": "",
        "Content-Type": "application/x-www-form-urlencoded",
    }
    suffix = "&statementId=0b0f2f0c-5c1e-4c0e-8a52-6b6d1f7d2a01"
    for form, status in (
        (f"{content}&{credential}{suffix}", 401),
        (f"{credential}&{content}{suffix}", 400),  # it is let in, and {} is no statement
    ):
        answer = await lrs.call("POST", "statements?method=PUT", data=form.encode(), headers=request_headers)
        assert answer.status == status, await answer.text()
    assert await lrs.post(statement())
