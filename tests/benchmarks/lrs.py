"""``make bench-lrs``: statements over HTTP, singly by 8 clients and in batches of 100 by 4, beside a peer if named.

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
from collections.abc import Iterator
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
from tests.support.statements import completed

ROUNDS = 3
LOGIN = ("bench", "a secret of the benchmark")


@dataclass(frozen=True)
class Sending:
    """What is sent: ``total`` statements, ``size`` to a request, by so many clients."""

    name: str
    total: int
    size: int
    clients: int


LOADS = (Sending("singles, 8 clients", 1_500, 1, 8), Sending("batches of 100, 4 clients", 10_000, 100, 4))


@dataclass(frozen=True)
class Target:
    """An LRS to send to."""

    name: str
    url: str
    login: tuple[str, str]


async def measured(target: Target, sending: Sending) -> float:
    """Send a load; returns statements per second. Raises when a request is refused."""
    bodies = iter([_body(sending.size) for _ in range(sending.total // sending.size)])
    headers = {
        "Authorization": aiohttp.encode_basic_auth(*target.login),
        "X-Experience-API-Version": "1.0.3",
        "Content-Type": "application/json",
    }
    async with aiohttp.ClientSession(headers=headers) as session:
        begun = time.monotonic()
        await asyncio.gather(*[_client(session, f"{target.url}/statements", bodies) for _ in range(sending.clients)])
        return sending.total / (time.monotonic() - begun)


async def _client(session: aiohttp.ClientSession, url: str, bodies: Iterator[bytes]) -> None:
    for body in bodies:
        async with session.post(url, data=body) as response:
            if response.status >= 300:
                raise RuntimeError(f"{url} answered {response.status}: {await response.text()}")
            await response.read()


_numbers = itertools.count()


def _body(size: int) -> bytes:
    statements = [_statement(next(_numbers)) for _ in range(size)]
    return orjson.dumps(statements if size > 1 else statements[0])


def _statement(number: int) -> dict[str, Any]:
    return {**completed(str(random.randrange(200)), f"course/{number % 50}"), "id": str(uuid.uuid4())}


async def compare(targets: list[Target]) -> None:
    """Measure every load at every target in turns, and print the medians and how the first does beside the others."""
    for sending in LOADS:
        found: dict[str, list[float]] = {target.name: [] for target in targets}
        for _ in range(ROUNDS):
            for target in targets:
                found[target.name].append(await measured(target, sending))
        medians = {name: statistics.median(rates) for name, rates in found.items()}
        first, *others = medians
        print(f"{sending.name}: {first} {medians[first]:.0f}/s", end="")
        ratios = {name: medians[first] / medians[name] for name in others}
        print(
            *(f", {name} {medians[name]:.0f}/s, ratio {ratio:.2f}" for name, ratio in ratios.items()),
            sep="",
            flush=True,
        )


async def _migrate(settings: Settings) -> None:
    """Make the indexes, without which a store is faster than any in use."""
    async with wiring.services(settings) as built:
        await built.migrations.run()


def main() -> None:
    """Start our API, measure, and stop everything."""
    with TemporaryDirectory() as directory, ExitStack() as stack:
        running = stack.enter_context(services(Path(directory), private=True))
        credentials = Path(directory) / "lrs.json"
        authority = {"account": {"homePage": "https://lrs.example.org", "name": "bench"}}
        row = {"key": LOGIN[0], "secret_hash": hash_secret(LOGIN[1]), "authority": authority, "scopes": ["all"]}
        credentials.write_text(json.dumps([row]))
        settings = load(
            mongo_url=os.environ.get("BENCH_MONGO_URL", running.mongo_url),
            mongo_database=f"bench_lrs_{uuid.uuid4().hex[:8]}",
            amqp_url=running.amqp_url,
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
