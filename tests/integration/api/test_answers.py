"""What comes out: answers, problems, headers and log lines."""

from __future__ import annotations

import io

import orjson
import pytest
from aiohttp import ClientError

from tests.integration.api.sample import PORTAL, SECRET, Client, Start, problem, raw


async def test_no_content(client: Client, member: dict[str, str]) -> None:
    """A handler without an answer is 204 and empty."""
    response = await client.delete("/v1/notes/n1", headers={**member, "If-Match": "*"})
    assert (response.status, await response.read()) == (204, b"")


async def test_not_modified(client: Client, member: dict[str, str]) -> None:
    """If-None-Match with the current version is 304 without a body."""
    response = await client.get("/v1/notes/n1", headers={**member, "If-None-Match": 'W/"1"'})
    assert (response.status, response.headers["ETag"], await response.read()) == (304, '"1"', b"")
    assert (await client.get("/v1/notes/n1", headers={**member, "If-None-Match": '"2"'})).status == 200


async def test_head(client: Client, member: dict[str, str]) -> None:
    """HEAD goes where GET does."""
    assert (await client.head("/v1/notes/n1", headers=member)).status == 200


async def test_not_found_and_not_allowed(client: Client, member: dict[str, str]) -> None:
    """An unknown path is 404, an unknown method 405 with Allow, an id too long 404."""
    await problem(await client.get("/v1/nowhere"), 404, "not-found")
    response = await client.put("/v1/notes/n1", headers=member)
    await problem(response, 405, "method-not-allowed")
    assert set(response.headers["Allow"].split(",")) == {"GET", "HEAD", "PATCH", "DELETE"}
    await problem(await client.get(f"/v1/notes/{'x' * 201}", headers=member), 404, "not-found")


async def test_expectation_is_a_problem_too(client: Client) -> None:
    """An HTTP error without a slug of its own still carries the correlation id."""
    response = await client.get("/v1/ids", headers={"Expect": "nonsense"})
    assert response.status == 417
    assert response.headers["X-Correlation-Id"]


async def test_crash_tells_nothing(client: Client, lines: io.BytesIO) -> None:
    """A 500 tells no internals; the log has the frames and not the words."""
    response = await client.get("/v1/crash")
    body = await problem(response, 500, "internal")
    assert SECRET not in str(body)
    log_text = lines.getvalue()
    assert SECRET.encode() not in log_text
    crash = next(line for line in map(orjson.loads, log_text.splitlines()) if line["event"] == "request_crashed")
    assert crash["error"] == "builtins.RuntimeError"
    assert crash["correlation_id"] == body["correlation_id"]
    assert any(frame.endswith(" crash") for frame in crash["frames"])


async def test_broken_stream(client: Client, lines: io.BytesIO) -> None:
    """A stream that fails half-way breaks the connection, so that it is not taken for whole."""
    with pytest.raises(ClientError):
        await (await client.get("/v1/stream")).read()
    assert SECRET.encode() not in lines.getvalue()


async def test_timeout(start: Start) -> None:
    """A call that takes too long is 503, and may come again."""
    client = await start(request_timeout=0.05)
    response = await client.get("/v1/slow")
    await problem(response, 503, "unavailable")
    assert int(response.headers["Retry-After"]) > 0


async def test_access_log_has_the_template(client: Client, member: dict[str, str], lines: io.BytesIO) -> None:
    """The log line has the route's template, never the path, the query or the subject."""
    headers = {**member, "X-Correlation-Id": "abc-1"}
    await client.get("/v1/notes/n1-private?q=private", headers=headers)
    (line,) = [line for line in map(orjson.loads, lines.getvalue().splitlines()) if line["event"] == "http_request"]
    assert (line["route"], line["status"], line["correlation_id"]) == ("/v1/notes/{note_id}", 422, "abc-1")
    assert b"private" not in lines.getvalue()


async def test_correlation(client: Client) -> None:
    """A correlation id and trace context are taken when well-formed, else made, and always returned."""
    parent = f"00-{'a' * 32}-{'b' * 16}-01"
    response = await client.get("/v1/ids", headers={"X-Correlation-Id": "abc-1", "traceparent": parent})
    assert await response.json() == {"correlation": "abc-1", "traceparent": parent, "subject": ""}
    assert (response.headers["X-Correlation-Id"], response.headers["traceparent"]) == ("abc-1", parent)
    response = await client.get("/v1/ids", headers={"X-Correlation-Id": "a b", "traceparent": "00-0-0-0"})
    answer = await response.json()
    assert len(answer["correlation"]) == 32
    assert len(answer["traceparent"]) == 55


async def test_cors(client: Client, member: dict[str, str]) -> None:
    """A portal in the settings may call; another origin gets no permission."""
    asks = {"Origin": PORTAL, "Access-Control-Request-Method": "PATCH"}
    response = await client.options("/v1/notes/n1", headers=asks)
    assert response.status == 204
    assert "If-Match" in response.headers["Access-Control-Allow-Headers"]
    assert "PATCH" in response.headers["Access-Control-Allow-Methods"]
    for origin, answer_origin in ((PORTAL, PORTAL), ("https://evil.example", None)):
        response = await client.get("/v1/notes", headers={**member, "Origin": origin})
        assert response.headers.get("Access-Control-Allow-Origin") == answer_origin
        assert response.headers["Vary"] == "Origin"
    refusal = await client.options("/v1/notes", headers={**asks, "Origin": "https://evil.example"})
    await problem(refusal, 405, "method-not-allowed")
    await problem(await client.options("/v1/nowhere", headers=asks), 404, "not-found")


async def test_security_headers(client: Client, start: Start) -> None:
    """Every answer carries the security headers; HSTS only where the public address is https."""
    headers = (await client.get("/v1/nowhere")).headers
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Cache-Control"] == "no-store"
    assert "frame-ancestors 'none'" in headers["Content-Security-Policy"]
    assert headers["Referrer-Policy"] == "no-referrer"
    assert headers["Server"] == "cpd-bridge"
    assert "Strict-Transport-Security" not in headers
    secure = await start(public_url="https://cpd.example")
    assert "Strict-Transport-Security" in (await secure.get("/v1/nowhere")).headers


@pytest.mark.parametrize(
    "target",
    [b"/v1/notes/%zz", b"/v1/notes/%", b"/v1/notes/%00", b"/v1/notes?day=%00", b"/v1/notes/%ff", b"/v1/notes?q=%ff"],
)
async def test_bad_targets(client: Client, target: bytes) -> None:
    """A target that is not percent-encoded UTF-8 is a 400 problem, sent as it is over a socket."""
    head, body = await raw(client, b"GET " + target + b" HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 400")
    assert orjson.loads(body)["type"] == "/problems/malformed"


@pytest.mark.parametrize(
    "request_bytes",
    [
        b"GET /v1/notes/\xff HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
        b"GET /v1/private\x00 HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
        b"GET /v1/notes HTTP/1.1\r\nHost: x\r\nBad private\r\n\r\n",
        b"nonsense\r\n\r\n",
        b"GET http://[::1/ HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
    ],
)
async def test_bad_http(client: Client, lines: io.BytesIO, request_bytes: bytes) -> None:
    """What is hardly HTTP is a 4xx, never a 500."""
    head, _ = await raw(client, request_bytes)
    assert head.startswith((b"HTTP/1.0 4", b"HTTP/1.1 4"))
    assert b"private" not in lines.getvalue()
