"""``make bench-lrs``: statements over HTTP, beside a peer if named.

Written singly by 8 clients, in batches of 100 by 4, and read and written by 8, four calls of five a filtered read, with
1, 10 and 100 thousand statements in the store.

``BENCH_PEER`` is the ``…/xAPI`` address of another LRS on the loopback that writes to the store at ``BENCH_MONGO_URL``,
``BENCH_PEER_LOGIN`` its ``key:secret``. Ours and the peer take turns, so that both meet the machine in the same mood.
"""

from __future__ import annotations

import asyncio
import itertools
import json
import os
import random
import statistics
import time
import uuid
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import aiohttp
import orjson

from bridge import wiring
from bridge.services.lrs.credentials import hash_secret
from bridge.settings import Settings, load
from bridge.tokens import PUBLIC_NAME, dev_key
from deploy.dev.services import services
from tests.support.processes import api_process
from tests.support.statements import COMPLETED, HOME, account, completed

ROUNDS = 3
LOGIN = ("bench", "a secret of the benchmark")


@dataclass(frozen=True)
class Sending:
    """What is sent: ``total`` statements, ``size`` to a request, by so many clients."""

    name: str
    total: int
    size: int
    clients: int


SINGLES, BATCHES = (Sending("singles, 8 clients", 1_500, 1, 8), Sending("batches of 100, 4 clients", 10_000, 100, 4))


CALLS, CLIENTS, WRITE_EVERY, LIMIT = 1_000, 8, 5, 25
"""Of the mixed load: how many calls, by how many, every which of them a write, and statements of a page."""

MEMBERS, COURSES = 200, 50


@dataclass(frozen=True)
class Target:
    """An LRS to send to."""

    name: str
    url: str
    login: tuple[str, str]


@dataclass(frozen=True)
class Call:
    """One request: a body to write, or the query of a read."""

    body: bytes | None = None
    query: dict[str, str] | None = None


@dataclass(frozen=True)
class Rates:
    """What a load took: statements, or calls, per second, and the milliseconds of each read."""

    per_second: float
    reads: list[float]


async def sent(target: Target, sending: Sending) -> Rates:
    """Send a load; returns statements per second."""
    calls = [Call(body=_body(sending.size)) for _ in range(sending.total // sending.size)]
    rates = await _called(target, calls, sending.clients)
    return Rates(rates.per_second * sending.size, [])


async def mixed(target: Target) -> Rates:
    """Read and write; returns calls per second."""
    calls = [
        Call(body=_body(1)) if number % WRITE_EVERY == 0 else Call(query=next(_queries)) for number in range(CALLS)
    ]
    return await _called(target, calls, CLIENTS)


async def _called(target: Target, calls: Sequence[Call], clients: int) -> Rates:
    """Make calls by so many clients at once. Raises when one is refused."""
    headers = {
        "Authorization": aiohttp.encode_basic_auth(*target.login),
        "X-Experience-API-Version": "1.0.3",
        "Content-Type": "application/json",
    }
    reads: list[float] = []
    remaining = iter(calls)
    async with aiohttp.ClientSession(headers=headers) as session:
        start = time.monotonic()
        await asyncio.gather(*[_client(session, target.url, remaining, reads) for _ in range(clients)])
        return Rates(len(calls) / (time.monotonic() - start), reads)


async def _client(session: aiohttp.ClientSession, url: str, calls: Iterator[Call], reads: list[float]) -> None:
    for call in calls:
        start = time.monotonic()
        method = "GET" if call.body is None else "POST"
        async with session.request(method, f"{url}/statements", data=call.body, params=call.query) as response:
            if response.status >= 300:
                raise RuntimeError(f"{url} answered {response.status}: {await response.text()}")
            await response.read()
        if call.body is None:
            reads.append((time.monotonic() - start) * 1000)


def _query(number: int) -> dict[str, str]:
    """The queries of a portal: of a person, of a course, of a person's course, and what is new of a person."""
    agent = json.dumps(account(str(number * 7 % MEMBERS)))
    activity = f"{HOME}/course/{number * 3 % COURSES}"
    filters = [
        {"agent": agent, "verb": COMPLETED},
        {"activity": activity},
        {"agent": agent, "activity": activity},
        {"agent": agent, "since": "2026-01-01T00:00:00Z", "ascending": "true"},
    ]
    return {**filters[number % len(filters)], "limit": str(LIMIT)}


_queries = map(_query, itertools.count())


_numbers = itertools.count()


def _body(size: int) -> bytes:
    statements = [_statement(next(_numbers)) for _ in range(size)]
    return orjson.dumps(statements if size > 1 else statements[0])


def _statement(number: int) -> dict[str, Any]:
    return completed(str(random.randrange(MEMBERS)), f"course/{number % COURSES}")


async def compare(targets: list[Target]) -> None:
    """Measure every load at every target; the store grows meanwhile, so each comes when it has the right size."""
    stored = 0
    for size in (1_000, 10_000):
        stored += await _grow(targets, size - stored)
        await _in_turns(f"four reads and a write, {size:,} statements", targets, mixed)
    for sending in (SINGLES, BATCHES):
        await _in_turns(sending.name, targets, lambda target, sending=sending: sent(target, sending))
        stored += ROUNDS * sending.total
    await _grow(targets, 100_000 - stored)
    await _in_turns("four reads and a write, 100,000 statements", targets, mixed)


async def _grow(targets: list[Target], by: int) -> int:
    for target in targets:
        await sent(target, Sending("growing", by, 100, 4))
    return by


async def _in_turns(name: str, targets: list[Target], load: Callable[[Target], Awaitable[Rates]]) -> None:
    """Print the medians of a load at every target, and how the first does beside the others."""
    all_rates: dict[str, list[Rates]] = {target.name: [] for target in targets}
    for _ in range(ROUNDS):
        for target in targets:
            all_rates[target.name].append(await load(target))
    medians = {name: statistics.median(rates.per_second for rates in of) for name, of in all_rates.items()}
    first = medians[targets[0].name]
    for target, rate in medians.items():
        reads = sorted(read for rates in all_rates[target] for read in rates.reads)
        summary = (
            f", reads p50 {reads[len(reads) // 2]:.0f} ms, p99 {reads[len(reads) * 99 // 100]:.0f} ms" if reads else ""
        )
        beside = "" if target == targets[0].name else f", ratio {first / rate:.2f}"
        print(f"{name}: {target} {rate:.0f}/s{summary}{beside}", flush=True)


async def _migrate(settings: Settings) -> None:
    """Make the indexes, without which a store is faster than any in use."""
    async with wiring.services(settings) as services:
        await services.migrations.run()


def main() -> None:
    """Start our API, measure, and stop everything."""
    with TemporaryDirectory() as directory, ExitStack() as stack:
        servers = stack.enter_context(services(Path(directory), private=True))
        credentials = Path(directory) / "lrs.json"
        authority = {"account": {"homePage": "https://lrs.example.org", "name": "bench"}}
        row = {"key": LOGIN[0], "secret_hash": hash_secret(LOGIN[1]), "authority": authority, "scopes": ["all"]}
        credentials.write_text(json.dumps([row]))
        settings = load(
            mongo_url=os.environ.get("BENCH_MONGO_URL", servers.mongo_url),
            mongo_database=f"bench_lrs_{uuid.uuid4().hex[:8]}",
            amqp_url=servers.amqp_url,
            amqp_namespace="bench-lrs.",
            lrs_credentials_file=credentials,
            lrs_rate_limit="",
            local_dir=Path(directory),
            auth_key_file=Path(directory) / PUBLIC_NAME,
            auth_issuer="bench",
        )
        dev_key(settings.local_dir)
        asyncio.run(_migrate(settings))
        api = api_process(settings, Path(directory), BRIDGE_LOG_LEVEL="warning")
        api.start()
        try:
            targets = [Target("cpd-bridge", f"http://127.0.0.1:{api.port}/xapi", LOGIN)]
            if peer := os.environ.get("BENCH_PEER"):
                key, _, secret = os.environ["BENCH_PEER_LOGIN"].partition(":")
                targets.append(Target("peer", peer.rstrip("/"), (key, secret)))
            asyncio.run(compare(targets))
        finally:
            api.stop()


if __name__ == "__main__":
    main()
