"""Making PDFs in worker processes, within bounds."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Mapping
from typing import Any

import pytest

from bridge.documents.rendering import Bounds, Renderer
from bridge.errors import BridgeError, TooLarge, Unavailable
from tests.support.records import entry, forms, header

GIB = 2**30


async def booklet(count: int = 1, **changes: Any) -> AsyncGenerator[Mapping[str, Any]]:
    """The lines of a booklet, one after another."""
    for line in (header(), *forms()):
        yield line
    for number in range(count):
        yield entry(number, **changes)


async def held(until: asyncio.Event) -> AsyncGenerator[Mapping[str, Any]]:
    """A booklet whose lines come only after an event."""
    yield header()
    await until.wait()


@pytest.fixture
async def make() -> AsyncGenerator[Any]:
    """Make renderers that are closed at the end."""
    renderers: list[Renderer] = []

    def begin(**bounds: Any) -> Renderer:
        renderers.append(Renderer(Bounds(**bounds)))
        return renderers[-1]

    yield begin
    for renderer in renderers:
        await renderer.close()


async def test_many_at_once(make: Any) -> None:
    """Twenty callers at once all get their PDF, from two processes."""
    renderer = make(workers=2, waiting=20)
    pdfs = await asyncio.gather(*(renderer.pdf(booklet(3)) for _ in range(20)))
    assert all(pdf.startswith(b"%PDF-1.7") and pdf.rstrip().endswith(b"%%EOF") for pdf in pdfs)


async def test_too_many_waiting_is_503(make: Any) -> None:
    """Who would have to wait too long is told when to come again; a stream that goes on waits its turn."""
    renderer, go = make(workers=1, waiting=0), asyncio.Event()
    busy = asyncio.create_task(renderer.pdf(held(go)))
    while not renderer._turns.locked():
        await asyncio.sleep(0)
    with pytest.raises(Unavailable) as refusal:
        await renderer.pdf(booklet())
    assert refusal.value.retry_after
    patient = asyncio.create_task(renderer.pdf(booklet(), patient=True))
    go.set()
    assert (await busy).startswith(b"%PDF")
    assert (await patient).startswith(b"%PDF")


async def test_a_time_limit_ends_the_process(make: Any) -> None:
    """What takes too long is ended, and the next booklet is made by another process."""
    renderer = make(workers=1, seconds=10)
    with pytest.raises(Unavailable, match="longer than 10 s"):
        await renderer.pdf(held(asyncio.Event()))
    assert (await renderer.pdf(booklet())).startswith(b"%PDF")


async def test_too_much_is_refused_and_costs_nobody_else(make: Any) -> None:
    """More than a booklet can hold is 413 with a remedy, read to the end at no memory; the process goes on."""
    renderer = make(workers=1, memory=GIB)
    with pytest.raises(TooLarge, match="ZIP"):
        await renderer.pdf(booklet(40, description="w" * 500_000))
    assert (await renderer.pdf(booklet())).startswith(b"%PDF")


async def test_a_process_that_dies_is_replaced(make: Any) -> None:
    """A worker that is killed while it works fails one booklet, not the service."""
    renderer, go = make(workers=1), asyncio.Event()
    await renderer.pdf(booklet())
    (worker,) = renderer._idle
    worker.kill()
    go.set()
    with pytest.raises(BridgeError):
        await renderer.pdf(held(go))
    assert (await renderer.pdf(booklet())).startswith(b"%PDF")


async def test_a_reader_that_fails_is_told_so(make: Any) -> None:
    """What reading the record raises reaches the caller as it is."""
    renderer = make(workers=1)

    async def failing() -> AsyncGenerator[Mapping[str, Any]]:
        yield header()
        raise Unavailable("The store does not answer; try again shortly.")

    with pytest.raises(Unavailable, match="store"):
        await renderer.pdf(failing())
    assert (await renderer.pdf(booklet())).startswith(b"%PDF")


async def test_a_process_makes_many(make: Any) -> None:
    """A process goes on to the next booklet, however large its parent is (``getrusage`` would tell the parent's)."""
    renderer, ballast = make(workers=1), b"x" * (900 * 2**20)
    await renderer.pdf(booklet())
    (worker,) = renderer._idle
    await renderer.pdf(booklet())
    assert renderer._idle == [worker]
    del ballast


async def test_closing_ends_every_process(make: Any) -> None:
    """Nothing is left behind."""
    renderer = make(workers=2)
    await asyncio.gather(renderer.pdf(booklet()), renderer.pdf(booklet()))
    processes = [worker._process for worker in renderer._idle]
    await renderer.close()
    assert processes
    assert all(process.returncode is not None for process in processes)
