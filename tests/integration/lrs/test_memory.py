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

CALLERS = 80
BODY = 16 * 2**20 - 1024
BASIC = "Basic YWxsOnNlY3JldA=="  # all:secret
FORM = "application/x-www-form-urlencoded"
KNOWN = f"Authorization: {BASIC}\r\nX-Experience-API-Version: 1.0.3\r\n"
BROKEN_OFF = {
    "a stranger's form": ("statements?method=PUT", f"Content-Type: {FORM}\r\n", b"content="),
    "a form that names a wrong secret": (
        "statements?method=PUT",
        f"Content-Type: {FORM}\r\n",
        b"Authorization=Basic+YWxsOm5vcGU=&content=",
    ),
    "a form of someone known": ("statements?method=PUT", f"{KNOWN}Content-Type: {FORM}\r\n", b"content="),
    "statements of someone known": ("statements", f"{KNOWN}Content-Type: application/json\r\n", b'["'),
}


async def resident(running: Running) -> int:
    """Bytes of memory of a process."""
    page = await scrape(running.port)
    return int(page.value("process_resident_memory_bytes") or 0)


@pytest.fixture
def api(lrs_settings: Settings, services: wiring.Services, tmp_path: Path) -> Generator[Running]:
    """The API in a process of its own, over a prepared store."""
    assert services.lrs is not None
    running = api_process(lrs_settings, tmp_path)
    running.start()
    yield running
    running.stop()


@asynccontextmanager
async def caller(port: int, target: str, headers: str, start: bytes) -> AsyncGenerator[None]:
    """Send all of a body but its end, as far as it is taken; then break off."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    head = f"POST /xapi/{target} HTTP/1.1\r\nHost: x\r\n{headers}Content-Length: {BODY}\r\n\r\n"
    writer.write(head.encode() + start)
    left = BODY - len(start) - 1
    try:
        async with asyncio.timeout(4):
            while left > 0 and not reader.at_eof():
                writer.write(b"a" * min(left, 2**18))
                left -= 2**18
                await writer.drain()
    except (OSError, TimeoutError):
        pass
    yield
    writer.transport.abort()


async def test_bodies_that_break_off(api: Running, tmp_path: Path) -> None:
    """80 bodies of 16 MB at once, one kind after the other, stay within bounds, and what they took is given back."""
    before = await resident(api)
    for what, request in BROKEN_OFF.items():
        opened = [caller(api.port, *request) for _ in range(CALLERS)]
        await asyncio.gather(*(one.__aenter__() for one in opened))
        assert await resident(api) - before < 384 * 2**20, what
        await asyncio.gather(*(one.__aexit__(None, None, None) for one in opened))
        async with asyncio.timeout(30):
            while await resident(api) - before > 192 * 2**20:
                await asyncio.sleep(0.2)
    assert "crashed" not in (tmp_path / "api.log").read_text()
