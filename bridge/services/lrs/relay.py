"""The relay of stored statements to the exchange, where the Learning centre's own arrive: one way into the log."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Sequence
from contextlib import suppress

import structlog

from bridge.broker import Topology
from bridge.broker.publisher import Publisher, publisher
from bridge.errors import Unavailable
from bridge.logs import failure
from bridge.services.lrs.messages import messages
from bridge.settings import Settings
from bridge.store import LrsLedger, Note, Unsent

log = structlog.get_logger(__name__)

LOT = 200
"""Statements, or a write of more, that are published before their confirms are awaited; and notes read at once."""

LOT_BYTES = 16 * 2**20
"""Bytes of statements, or a write of more, that are read at once."""

MAX_FRESH = 10_000
"""Notes of this process that are remembered; the oldest is left to the next look."""

LOOK_INTERVAL = 5.0
"""Seconds between looks for what another process stored and did not publish."""


class StatementRelay:
    """Publishes what is unsent until cancelled; at least once each, and the worker knows a repeat.

    Statements are stored with a note that they are unsent. This process remembers its own notes and publishes their
    statements at once; it looks for older notes, which another process left when it ended, every few seconds.
    """

    def __init__(self, ledger: LrsLedger, unsent: Unsent, settings: Settings, topology: Topology) -> None:
        self._ledger = ledger
        self._unsent = unsent
        self._topology = topology
        self._settings = settings
        self._fresh: deque[tuple[Note, int]] = deque(maxlen=MAX_FRESH)
        self._news = asyncio.Event()

    def offer(self, note: Note, size: int) -> None:
        """Take a note that this process has just made; ``size`` is that of its statements, in bytes."""
        self._fresh.append((note, size))
        self._news.set()

    async def run(self) -> None:
        """Work until cancelled; an outage of the broker or the store only makes it wait."""
        while True:
            try:
                await self._session()
            except Exception as error:  # whatever it is, what is stored must get to the broker in the end
                log.warning("statements wait for the broker", **failure(error))
                await asyncio.sleep(LOOK_INTERVAL)  # the broker tells nobody that it is back

    async def _session(self) -> None:
        async with publisher(self._settings, "lrs") as out:
            await out.declare(self._topology)
            while True:
                await self.send_stored(out, microseconds_ago(LOOK_INTERVAL))
                next_look = time.monotonic() + LOOK_INTERVAL
                while (seconds := next_look - time.monotonic()) > 0:
                    await self._wait_for_news(seconds)
                    if notes := self._take_lot():
                        await self._send(out, notes)

    async def _wait_for_news(self, seconds: float) -> None:
        self._news.clear()
        if self._fresh:
            return
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):  # not wait_for, which may swallow a cancellation (3.11)
                await self._news.wait()

    def _take_lot(self) -> list[Note]:
        notes, count, total = list[Note](), 0, 0
        while self._fresh and count < LOT and total < LOT_BYTES:
            note, size = self._fresh.popleft()
            notes.append(note)
            count, total = count + len(note.statement_ids), total + size
        return notes

    async def send_stored(self, out: Publisher, before: int) -> int:
        """Publish statements that were noted before a time and are still unsent; returns how many statements."""
        count, after = 0, ""
        while notes := await self._unsent.waiting(before, after, LOT):
            for note in notes:
                count += await self._send(out, [note])
            after = notes[-1].note_id
        return count

    async def _send(self, out: Publisher, notes: Sequence[Note]) -> int:
        """Publish the statements of notes, then forget the notes; returns how many statements.

        When they themselves are why it fails, that keeps no others waiting: their notes stay, so each is tried alone
        from then on, and the oldest note tells of it (``Unsent.oldest``).
        """
        ids = [statement_id for note in notes for statement_id in note.statement_ids]
        unsent = await self._ledger.stored(ids)  # the others are erased or purged
        try:
            batch = messages(self._topology.statements, unsent, self._settings.max_statement_bytes)
            await out.publish(batch, mandatory=False)
        except Unavailable:
            raise
        except Exception as error:
            log.error("statements cannot be brought to the broker", **failure(error))  # noqa: TRY400 - failure() has it
            return 0
        await self._unsent.forget([note.note_id for note in notes])
        return len(ids)


def microseconds_ago(seconds: float) -> int:
    """Return the time so many seconds ago, in microseconds since 1970."""
    return int((time.time() - seconds) * 1e6)
