"""Memory of the worker stays bounded whatever comes, and one poisonous message does not stop the rest."""

from __future__ import annotations

import asyncio
import gzip
import os
import uuid
from collections.abc import Callable
from pathlib import Path

import orjson
import pytest
import zstandard

from bridge import wiring
from bridge.broker.publisher import Outgoing, publisher
from bridge.settings import Settings
from tests.support.processes import Running, worker_process
from tests.support.searches import IS_LONG
from tests.support.statements import completed
from tests.support.storage import storage
from tests.support.stream import patient

MEMORY_LIMIT = 400 * 2**20
ADDRESSES = 1200 * 2**20
"""What the worker's process may reserve: it would die of an allocation that is beyond all reason."""

ROOM = 8 * 2**20
Pack = Callable[[bytes], bytes]


def _zstd(body: bytes) -> bytes:
    return zstandard.compress(body)


def _plain(body: bytes) -> bytes:
    return body


def _statement(inner: bytes) -> bytes:
    whole = orjson.dumps(
        completed("1", f"large/{uuid.uuid4()}", context={"extensions": {"https://learning.example.org/x": "@"}})
    )
    return whole.replace(b'"@"', inner)


def _filled(unit: bytes) -> bytes:
    """A JSON array of nearly 8 MB, of nothing but this."""
    return b"[" + b",".join([unit] * ((ROOM - 4096) // (len(unit) + 1))) + b"]"


KINDS: dict[str, tuple[Callable[[], bytes], Pack, str | None, int, str]] = {
    "blank gzip": (
        lambda: b"[" + _statement(b"1") + b" " * (ROOM - 1000) + b"]",
        gzip.compress,
        "gzip",
        150,
        "recorded",
    ),
    "empty objects gzip": (lambda: _filled(b"{}"), gzip.compress, "gzip", 40, "dead-lettered"),
    "text zstd": (lambda: _statement(b'"' + b"x" * (ROOM - 1000) + b'"'), _zstd, "zstd", 8, "recorded"),
    "wide zstd": (lambda: _statement(_filled(b'{"a":1}')), _zstd, "zstd", 40, "dead-lettered"),
    "wide among good": (
        lambda: b"[%s,%s]" % (_statement(b"1"), _statement(_filled(b"0.5"))),
        _zstd,
        "zstd",
        20,
        "recorded",
    ),
    "nested among good": (
        lambda: b"[%s,[%s]]" % (_statement(b"1"), _filled(b"[]")),
        _zstd,
        "zstd",
        10,
        "dead-lettered",
    ),
    "lists zstd": (lambda: _statement(_filled(b"[]")), _zstd, "zstd", 10, "dead-lettered"),
    "deep zstd": (lambda: b"[" * (ROOM // 2) + b"]" * (ROOM // 2), _zstd, "zstd", 10, "dead-lettered"),
    "noise": (lambda: os.urandom(ROOM), _plain, None, 24, "dead-lettered"),
}


SHORT = {"blank gzip": 50, "empty objects gzip": 12, "wide zstd": 12, "wide among good": 6}
"""Bodies of the short form: read all at once, they would still take more than there may be."""


def _number(kind: str) -> int:
    """How many bodies of a kind are sent."""
    long = KINDS[kind][3]
    return long if IS_LONG else SHORT.get(kind, long)


def _limited(worker: Running) -> Running:
    """The same worker with a limit to its address space."""
    worker.process.argv = ["/bin/sh", "-c", f'ulimit -v {ADDRESSES // 1024} && exec "$@"', "sh", *worker.process.argv]
    return worker


def _pid(worker: Running) -> int:
    assert worker.process._keeper is not None  # pyright: ignore[reportPrivateUsage] - nobody else asks
    keeper = worker.process._keeper.pid  # pyright: ignore[reportPrivateUsage] - as above
    return int(Path(f"/proc/{keeper}/task/{keeper}/children").read_text().split()[0])


def _peak(pid: int) -> int:
    """Return the most memory that a process had, in bytes, since this was asked last."""
    status = Path(f"/proc/{pid}/status").read_text()
    Path(f"/proc/{pid}/clear_refs").write_text("5")  # proc(5): the peak begins again
    return int(status.split("VmHWM:")[1].split()[0]) * 1024


@pytest.mark.timeout(480)
async def test_no_body_fills_the_memory(faulty: Settings, tmp_path: Path) -> None:
    """Bodies that become much more than they are: under 400 MiB each time, and what follows is recorded."""
    worker = _limited(worker_process(faulty, tmp_path))
    await asyncio.to_thread(worker.start)
    peaks: dict[str, int] = {}
    async with wiring.services(patient(faulty)) as services:
        for number, (kind, (make, pack, encoding, _, becomes)) in enumerate(KINDS.items()):
            if os.environ.get("KIND") and os.environ["KIND"] not in kind:
                continue
            body, count = pack(make()), _number(kind)
            before = await storage(services).statements.count({"disposition": "recorded"})
            good = [orjson.dumps(completed("1", f"after/{number}/{n}")) for n in range(20)]
            await _publish(faulty, [body] * count, encoding)
            await _publish(faulty, good, None)
            expected = before + len(good) + (becomes == "recorded")
            await _recorded(services, expected)
            peaks[kind] = _peak(_pid(worker))
        letters = sum(_number(kind) for kind, (*_, becomes) in KINDS.items() if becomes == "dead-lettered")
        await _mirrored(services, letters)
        peaks["mirrored"] = _peak(_pid(worker))
    await asyncio.to_thread(worker.stop)
    print({kind: f"{peak >> 20} MiB" for kind, peak in peaks.items()})  # noqa: T201 - the figures
    assert not {kind: peak >> 20 for kind, peak in peaks.items() if peak > MEMORY_LIMIT}


async def _publish(settings: Settings, bodies: list[bytes], encoding: str | None) -> None:
    exchange = wiring.topology(settings).statements
    async with publisher(settings, "large") as out:
        for start in range(0, len(bodies), 10):
            batch = bodies[start : start + 10]
            await out.publish([_message(exchange, body, encoding) for body in batch])


def _message(exchange: str, body: bytes, encoding: str | None) -> Outgoing:
    name = uuid.uuid4().hex  # else the same body is the same dead letter
    return Outgoing(exchange, "statement.completed", body, content_encoding=encoding, correlation_id=name)


async def _recorded(services: wiring.Services, count: int) -> None:
    async with asyncio.timeout(120):
        while await storage(services).statements.count({"disposition": "recorded"}) < count:
            await asyncio.sleep(0.1)  # another process works; the ledger is the only sign of it


async def _mirrored(services: wiring.Services, count: int) -> None:
    async with asyncio.timeout(120):
        while sum((await services.stores.dead_letters.by_reason()).values()) < count:
            await asyncio.sleep(0.1)  # as above
