"""A file passes through the process without being held, and may break off without a crash."""

from __future__ import annotations

import asyncio
import io
import re
import tracemalloc
from collections.abc import AsyncGenerator
from pathlib import Path

import pytest

from bridge.settings import Settings
from tests.support.documents import PDF
from tests.support.member_client import MemberClient, serving

SIZE = 10 * 2**20
PIECE = 64 * 1024
MEMORY_LIMIT = SIZE // 2
"""Bytes; server and client are both in this process."""

PEAK, PEAKS = Path("/proc/self/status"), Path("/proc/self/clear_refs")


@pytest.fixture
async def me(settings: Settings) -> AsyncGenerator[MemberClient]:
    """Serve the API."""
    async with serving(settings) as member:
        yield member


def resident(case: str) -> int:
    """Return the bytes that this process has in memory (VmRSS), or had at most (VmHWM)."""
    match = re.search(rf"{case}:\s+(\d+) kB", PEAK.read_text())
    assert match is not None
    return int(match[1]) * 1024


def reset_peak() -> int:
    """Make the most so far what is in memory now, and return that (proc(5), clear_refs)."""
    PEAKS.write_text("5")
    return resident("VmRSS")


async def file() -> AsyncGenerator[bytes]:
    """Make a file of ``SIZE`` bytes, piece by piece."""
    yield PDF + bytes(PIECE - len(PDF))
    for _ in range(SIZE // PIECE - 1):
        yield bytes(PIECE)


async def there_and_back(me: MemberClient, entry_id: str) -> int:
    """Upload the file and download it again; returns the bytes that came back."""
    response = await me.upload(entry_id, "a.pdf", file())
    assert response.status == 201, await response.text()
    download = await me.call("GET", response.headers["Location"])
    return sum([len(piece) async for piece in download.content.iter_chunked(PIECE)])


async def test_ten_megabytes_do_not_grow_the_process(me: MemberClient) -> None:
    """10 MB up and down allocate less than half of that at any time, by Python's count."""
    entry = await me.entry()
    await there_and_back(me, entry)
    tracemalloc.start()
    try:
        before, _ = tracemalloc.get_traced_memory()
        assert await there_and_back(me, entry) == SIZE
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak - before < MEMORY_LIMIT


@pytest.mark.skipif(not PEAKS.exists(), reason="the peak of the resident memory can be reset on Linux only")
async def test_resident_memory(me: MemberClient) -> None:
    """10 MB up and down raise the peak of the resident memory by less than half of that."""
    entry = await me.entry()
    await there_and_back(me, entry)
    before = reset_peak()
    assert await there_and_back(me, entry) == SIZE
    assert resident("VmHWM") - before < MEMORY_LIMIT


async def test_client_goes_away(me: MemberClient, lines: io.BytesIO) -> None:
    """A client that leaves in the middle of a download is no crash."""
    upload = await me.upload(await me.entry(), "a.pdf", file())
    download = await me.call("GET", upload.headers["Location"])
    await download.content.read(PIECE)
    download.close()
    async with asyncio.timeout(30):
        while b'"route":"/v1/evidence/{evidence_id}"' not in lines.getvalue():
            await asyncio.sleep(0.01)
    assert b"crashed" not in lines.getvalue()
