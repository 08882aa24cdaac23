"""Memory of the API's process: bodies that break off, from strangers and from callers who are known."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Generator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from bridge import wiring
from bridge.settings import Settings
from tests.support.processes import Running, api_process
from tests.support.scrape import scrape

CALLERS = 40
BODY = 16 * 2**20 - 1024
BASIC = "Basic YWxsOnNlY3JldA=="  # all:secret
FORM = "application/x-www-form-urlencoded"
VALID_HEADERS = f"Authorization: {BASIC}\r\nX-Experience-API-Version: 1.0.3\r\n"
BROKEN_OFF = {
    "a stranger's form": ("statements?method=PUT", f"Content-Type: {FORM}\r\n", b"content="),
    "a form that names a wrong secret": (
        "statements?method=PUT",
        f"Content-Type: {FORM}\r\n",
        b"Authorization=Basic+YWxsOm5vcGU=&content=",
    ),
    "a form of someone known": ("statements?method=PUT", f"{VALID_HEADERS}Content-Type: {FORM}\r\n", b"content="),
    "statements of someone known": ("statements", f"{VALID_HEADERS}Content-Type: application/json\r\n", b'["'),
}


async def resident(process: Running) -> int:
    """Bytes of memory of a process."""
    page = await scrape(process.port)
    return int(page.value("process_resident_memory_bytes") or 0)


@pytest.fixture
def secrets_are_cheap() -> None:
    """They are not: the process hashes them as it always does."""


@pytest.fixture
def api(lrs_settings: Settings, services: wiring.Services, tmp_path: Path) -> Generator[Running]:
    """The API in a process of its own, over a prepared store."""
    assert services.lrs is not None
    process = api_process(lrs_settings, tmp_path)
    process.start()
    yield process
    process.stop()


@asynccontextmanager
async def caller(port: int, target: str, headers: str, start: bytes) -> AsyncGenerator[None]:
    """Send all of a body but its end, as far as it is taken; then break off."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    head = f"POST /xapi/{target} HTTP/1.1\r\nHost: x\r\n{headers}Content-Length: {BODY}\r\n\r\n"
    writer.write(head.encode() + start)
    rest = BODY - len(start) - 1
    try:
        async with asyncio.timeout(4):
            while rest > 0 and not reader.at_eof():
                writer.write(b"a" * min(rest, 2**18))
                rest -= 2**18
                await writer.drain()
    except (OSError, TimeoutError):
        pass
    yield
    writer.transport.abort()


async def test_bodies_that_break_off(api: Running, tmp_path: Path) -> None:
    """40 bodies of 16 MB at once, one kind after the other, stay within bounds, and what they took is given back."""
    before = await resident(api)
    for case, request in BROKEN_OFF.items():
        callers = [caller(api.port, *request) for _ in range(CALLERS)]
        await asyncio.gather(*(caller.__aenter__() for caller in callers))
        assert await resident(api) - before < 384 * 2**20, case
        await asyncio.gather(*(caller.__aexit__(None, None, None) for caller in callers))
        async with asyncio.timeout(30):
            while await resident(api) - before > 192 * 2**20:
                await asyncio.sleep(0.2)
    assert "crashed" not in (tmp_path / "api.log").read_text()
