"""Brings stored statements to the exchange, where the Learning centre's own arrive: one way into the log."""

from __future__ import annotations

import asyncio
import time
import uuid
from collections import deque
from collections.abc import Sequence
from contextlib import suppress
from typing import Any

import orjson
import structlog

from bridge.broker.publisher import Outgoing, Publisher, publisher
from bridge.broker.topology import Topology, routing_key
from bridge.domain.lrs.composing import published
from bridge.logs import failure
from bridge.settings import Settings
from bridge.store.lrs.rows import Row
from bridge.store.lrs.statements import LrsStatements

log = structlog.get_logger(__name__)

AT_ONCE = 200
"""Statements published before their confirms are awaited."""

READ_AT_ONCE = 2000
"""Statements read from the store at once."""

MOST_BYTES = 16 * 2**20
"""Text of statements that waits in memory."""

LOOKS_EVERY = 5.0
"""Seconds between looks for what another process stored and did not bring to the broker."""


Unsent = tuple[str, bytes, bytes, str | None]
"""Id, text, what the LRS assigned, and the trace that brought it."""


class Relay:
    """Publishes what is unsent until cancelled; at least once each, and the worker knows a repeat.

    What this process stores it publishes from memory, up to a bound; the store is asked for the rest: what was over
    the bound, and what a process that ended had not brought to the broker.
    """

    def __init__(self, store: LrsStatements, settings: Settings, topology: Topology) -> None:
        self._store = store
        self._settings = settings
        self._topology = topology
        self._waiting: deque[Row] = deque()
        self._bytes = 0
        self._news = asyncio.Event()

    def offer(self, rows: Sequence[Row]) -> None:
        """Take statements that were just stored."""
        for row in rows:
            if self._bytes < MOST_BYTES:
                self._waiting.append(row)
                self._bytes += len(row.raw)
        if rows:
            self._news.set()

    async def run(self) -> None:
        """Work until cancelled; an outage of the broker or the store only makes it wait."""
        while True:
            try:
                await self._session()
            except Exception as error:  # whatever it is, what is stored must get to the broker in the end
                log.warning("statements wait for the broker", **failure(error))
                await asyncio.sleep(LOOKS_EVERY)  # the broker tells nobody that it is back

    async def _session(self) -> None:
        async with publisher(self._settings, "lrs") as out:
            await out.declare(self._topology)
            while True:
                while await self.send_stored(out, microseconds_ago(LOOKS_EVERY)):
                    pass
                looked = time.monotonic()
                while time.monotonic() < looked + LOOKS_EVERY:
                    await self._wait_for_news()
                    while self._waiting:
                        await self._send_waiting(out)

    async def _wait_for_news(self) -> None:
        self._news.clear()
        if self._waiting:
            return
        with suppress(TimeoutError):
            async with asyncio.timeout(LOOKS_EVERY):  # not wait_for, which may swallow a cancellation (3.11)
                await self._news.wait()

    async def _send_waiting(self, out: Publisher) -> None:
        rows = [self._waiting.popleft() for _ in range(min(AT_ONCE, len(self._waiting)))]
        self._bytes -= sum(len(row.raw) for row in rows)
        await self._send(out, [(row.statement_id, row.raw, row.added, row.traceparent) for row in rows])

    async def send_stored(self, out: Publisher, before: int) -> int:
        """Publish statements that were stored before a time and are still unsent; returns how many."""
        rows = await self._store.unsent(before, READ_AT_ONCE)
        for start in range(0, len(rows), AT_ONCE):
            lot = rows[start : start + AT_ONCE]
            await self._send(out, [_unsent(row) for row in lot])
        return len(rows)

    async def _send(self, out: Publisher, statements: Sequence[Unsent]) -> None:
        await out.publish([self._message(*statement) for statement in statements], mandatory=False)
        await self._store.sent([statement_id for statement_id, *_ in statements])

    def _message(self, statement_id: str, raw: bytes, added: bytes, traceparent: str | None) -> Outgoing:
        statement = orjson.loads(raw)
        return Outgoing(
            self._topology.statements,
            routing_key(statement["verb"]["id"]),
            published(raw, statement, added),
            message_id=statement_id,
            correlation_id=uuid.uuid4().hex,
            traceparent=traceparent,
        )


def _unsent(row: dict[str, Any]) -> Unsent:
    return row["_id"], bytes(row["raw"]), bytes(row["lrs"]["added"]), row["lrs"].get("traceparent")


def microseconds_ago(seconds: float) -> int:
    """Return the time so many seconds ago, in microseconds since 1970."""
    return int((time.time() - seconds) * 1e6)
