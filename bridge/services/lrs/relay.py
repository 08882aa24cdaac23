"""Brings stored statements to the exchange, where the Learning centre's own arrive: one way into the log."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Iterable, Sequence
from contextlib import suppress

import structlog

from bridge.broker.publisher import Publisher, publisher
from bridge.broker.topology import Topology
from bridge.errors import Unavailable
from bridge.logs import failure
from bridge.services.lrs.messages import Stored, messages
from bridge.settings import Settings
from bridge.store.lrs.rows import Row
from bridge.store.lrs.statements import LrsStatements
from bridge.store.lrs.unsent import Note, Unsent

log = structlog.get_logger(__name__)

AT_ONCE = 200
"""Statements, or a write of more, that are published before their confirms are awaited; and notes read at once."""

MOST_BYTES = 16 * 2**20
"""Text of statements that waits in memory."""

LOOKS_EVERY = 5.0
"""Seconds between looks for what another process stored and did not bring to the broker."""

FORGETS_EVERY = 0.5
"""Seconds for which notes are kept of what is published: one write takes them all away."""


class Relay:
    """Publishes what is unsent until cancelled; at least once each, and the worker knows a repeat.

    Statements are stored with a note that they are unsent. What this process stores it publishes from memory, up to
    a bound; the store is asked for the rest: what was over the bound, and what another left when it ended.
    """

    def __init__(self, store: LrsStatements, unsent: Unsent, settings: Settings, topology: Topology) -> None:
        self._store = store
        self._unsent = unsent
        self._settings = settings
        self._topology = topology
        self._waiting: deque[tuple[str, Sequence[Row]]] = deque()
        self._bytes = 0
        self._news = asyncio.Event()

    def offer(self, note: str, rows: Sequence[Row]) -> None:
        """Take statements that were stored with a note."""
        if self._bytes < MOST_BYTES:
            self._waiting.append((note, rows))
            self._bytes += _weight(rows)
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
                await self.send_stored(out, microseconds_ago(LOOKS_EVERY))
                looked = time.monotonic()
                while time.monotonic() < looked + LOOKS_EVERY:
                    await self._send_offered(out, time.monotonic() + FORGETS_EVERY)

    async def _send_offered(self, out: Publisher, until: float) -> None:
        """Publish what is offered up to a time of the monotonic clock, then forget its notes."""
        sent = list[str]()
        while (left := until - time.monotonic()) > 0 and len(sent) < AT_ONCE:
            await self._wait_for_news(left)
            sent += await self._send_waiting(out)
        if sent:
            await self._unsent.sent(sent)

    async def _wait_for_news(self, seconds: float) -> None:
        self._news.clear()
        if self._waiting:
            return
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):  # not wait_for, which may swallow a cancellation (3.11)
                await self._news.wait()

    async def _send_waiting(self, out: Publisher) -> list[str]:
        """Publish statements that were offered; returns the notes of those that the broker has now."""
        notes, lot = list[str](), list[Row]()
        while self._waiting and len(lot) < AT_ONCE:
            note, rows = self._waiting.popleft()
            self._bytes -= _weight(rows)
            notes.append(note)
            lot += rows
        return notes if await self._publish(out, map(Stored.of_row, lot)) else []

    async def send_stored(self, out: Publisher, before: int) -> int:
        """Publish statements that were noted before a time and are still unsent; returns how many."""
        count, after = 0, ""
        while notes := await self._unsent.waiting(before, after, AT_ONCE):
            for note in notes:
                count += await self._send_noted(out, note)
            after = notes[-1].note_id
        return count

    async def _send_noted(self, out: Publisher, note: Note) -> int:
        """Publish what was stored with a note, unless it was erased or purged meanwhile, and forget the note."""
        rows = await self._store.known(note.statement_ids)
        here = [row for row in rows.values() if "lrs" in row]
        if not await self._publish(out, map(Stored.of_document, here)):
            return 0
        await self._unsent.sent([note.note_id])
        return len(here)

    async def _publish(self, out: Publisher, statements: Iterable[Stored]) -> bool:
        """Publish statements; False when they themselves are why it fails, which keeps no others waiting.

        Their notes stay, so each is tried alone from then on, and the oldest note tells of it (``Unsent.oldest``).
        """
        most = self._settings.max_statement_bytes
        try:
            await out.publish(messages(self._topology.statements, statements, most), mandatory=False)
        except Unavailable:
            raise
        except Exception as error:
            log.error("statements cannot be brought to the broker", **failure(error))  # noqa: TRY400 - failure() has it
            return False
        return True


def _weight(rows: Sequence[Row]) -> int:
    return sum(len(row.raw) for row in rows)


def microseconds_ago(seconds: float) -> int:
    """Return the time so many seconds ago, in microseconds since 1970."""
    return int((time.time() - seconds) * 1e6)
