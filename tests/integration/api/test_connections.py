"""Connections: what is no request, what comes too slowly, and too many at once."""

from __future__ import annotations

import asyncio
import io
import socket

import orjson
import pytest

from bridge.api.http.connections import Connection
from consumers.health import health
from tests.integration.api.sample import Client, Start, raw

SECRET = b"eyJhbGciOi"  # the start of a token
GET = b"GET /v1/ids HTTP/1.1\r\nHost: x\r\n"
POST = b"POST /v1/notes HTTP/1.1\r\nHost: x\r\n"
UNREADABLE = {
    "another protocol": b"\x16\x03\x01" + SECRET + b"\r\n\r\n",
    "HTTP/2": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    "a version that is none": b"GET /v1/ids HTTP/" + SECRET + b"\r\n\r\n",
    "a method that is none": b"G\xc3\xa9T" + SECRET + b" /v1/ids HTTP/1.1\r\n\r\n",
    "an address that is none": b"GET http://[" + SECRET + b"/v1/ids HTTP/1.1\r\n\r\n",
    "an address too long": b"GET /v1/ids?q=" + SECRET * 1000 + b" HTTP/1.1\r\n\r\n",
    "a header too long": GET + b"Authorization: Bearer " + SECRET * 1000 + b"\r\n\r\n",
    "a header without a name": GET + b": " + SECRET + b"\r\n\r\n",
    "a header with a blank in its name": GET + b"Bad " + SECRET + b": x\r\n\r\n",
    "a header with a NUL": GET + b"X: " + SECRET + b"\0\r\n\r\n",
    "too many headers": GET + b"".join(b"X-%d: %b\r\n" % (n, SECRET) for n in range(200)) + b"\r\n",
    "a length that is none": POST + b"Content-Length: " + SECRET + b"\r\n\r\n",
    "two lengths": POST + b"Content-Length: 1\r\nContent-Length: 2\r\n\r\n",
    "a length and chunks": POST + b"Content-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
    "an unknown transfer encoding": POST + b"Transfer-Encoding: " + SECRET + b"\r\n\r\n",
    "a chunk that is none": POST + b"Transfer-Encoding: chunked\r\n\r\n" + SECRET + b"\r\n",
}
PROBLEM_HEADERS = {b"content-type: application/problem+json", b"server: cpd-bridge", b"x-content-type-options: nosniff"}


def connections(client: Client) -> list[Connection]:
    """What is open at the server."""
    runner = client.server.runner
    assert runner is not None
    assert runner.server is not None
    return [connection for connection in runner.server.connections if isinstance(connection, Connection)]


def check_problem(head: bytes, body: bytes, status: int) -> None:
    """Whether an answer is a problem document that quotes nothing and names no version."""
    first, *headers = head.lower().split(b"\r\n")
    assert first.split()[1] == b"%d" % status
    assert PROBLEM_HEADERS - set(headers) <= ({b"x-content-type-options: nosniff"} if status in {408, 503} else set())
    assert SECRET.lower() not in head.lower() + body.lower()
    assert b"aiohttp" not in head.lower() + body
    problem = orjson.loads(body)
    assert problem["status"] == status
    assert b"x-correlation-id: " + problem["correlation_id"].encode() in headers


@pytest.mark.parametrize("case", UNREADABLE)
async def test_what_is_no_request(client: Client, lines: io.BytesIO, case: str) -> None:
    """It is 400 as a problem, and neither the answer nor the log quotes it."""
    head, body = await raw(client, UNREADABLE[case])
    check_problem(head, body, 400)
    assert SECRET not in lines.getvalue()


async def test_the_workers_health_answers_alike() -> None:
    """The worker's little HTTP names no version either, whether it reads a request or not."""
    async with health("127.0.0.1", 0, {}) as port:
        for request, status in ((UNREADABLE["a header too long"], 400), (b"GET /x HTTP/1.1\r\nHost: x\r\n\r\n", 404)):
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(request.replace(b"Host: x", b"Host: x\r\nConnection: close"))
            head, _, body = (await reader.read()).partition(b"\r\n\r\n")
            check_problem(head, body, status)
            writer.close()


@pytest.mark.parametrize("path", [b"/v1/ids", b"/v1/nowhere", b"/v1/notes/n1", b"/health/live", b"/metrics"])
async def test_an_unknown_expectation(client: Client, lines: io.BytesIO, path: bytes) -> None:
    """What aiohttp refuses before any route is asked is a problem, and a line of the log, on every path."""
    request = b"PUT " + path + b" HTTP/1.1\r\nHost: x\r\nConnection: close\r\nExpect: " + SECRET + b"\r\n\r\n"
    check_problem(*await raw(client, request), 417)
    assert b'"status":417' in lines.getvalue()


async def test_a_head_that_does_not_come(start: Start) -> None:
    """Half a head is 408 once its time is over, however often a byte comes; silence is only closed."""
    client = await start(http_head_timeout=0.3)
    reader, writer = await asyncio.open_connection(client.host, client.port)
    writer.write(GET)

    async def drip() -> None:
        for _ in range(10):  # no longer than the head may take: what comes after the answer would reset the connection
            writer.write(b"X: x\r\n")
            await asyncio.sleep(0.02)

    dripping = asyncio.create_task(drip())
    head, _, body = (await asyncio.wait_for(reader.read(), 10)).partition(b"\r\n\r\n")
    await dripping
    check_problem(head, body, 408)
    assert await asyncio.wait_for(raw(client, b""), 10) == (b"", b"")


async def test_an_idle_connection_is_closed(start: Start) -> None:
    """After an answer a connection is kept for a while and no longer; the next head has its own time."""
    client = await start(http_idle_timeout=0.3, http_head_timeout=20)
    reader, writer = await asyncio.open_connection(client.host, client.port)
    for _ in range(2):
        writer.write(GET + b"\r\n")
        assert b"200 OK" in await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 10)
        await reader.readuntil(b"}")
    assert await asyncio.wait_for(reader.read(), 10) == b""


async def test_too_many_connections(start: Start) -> None:
    """The one that was idle the longest makes room, so that a probe still comes through; none idle is 503."""
    client = await start(http_connections=10, request_timeout=5)
    idle = [await asyncio.open_connection(client.host, client.port) for _ in range(10)]
    head, _ = await raw(client, b"GET /health/live HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
    assert b"200 OK" in head
    assert await asyncio.wait_for(idle[0][0].read(), 10) == b""
    for _, writer in idle[1:]:
        writer.write(b"GET /v1/slow HTTP/1.1\r\nHost: x\r\n\r\n")
    busy = await asyncio.open_connection(client.host, client.port)
    busy[1].write(b"GET /v1/slow HTTP/1.1\r\nHost: x\r\n\r\n")
    while any(connection.idle_since is not None for connection in connections(client)):
        await asyncio.sleep(0.01)
    check_problem(*await raw(client, GET + b"\r\n"), 503)
    for _, writer in [*idle, busy]:
        writer.close()


async def test_an_answer_that_nobody_reads(start: Start) -> None:
    """A client that does not read its answer is cut off, and what was held for it is let go."""
    client = await start(transfer_timeout=0.5)
    with socket.socket() as slow:
        slow.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        slow.connect((client.host, client.port))
        slow.sendall(b"GET /openapi.json HTTP/1.1\r\nHost: x\r\n\r\n" * 1500)
        while not connections(client):
            await asyncio.sleep(0.01)
        async with asyncio.timeout(20):
            while connections(client):
                await asyncio.sleep(0.05)
