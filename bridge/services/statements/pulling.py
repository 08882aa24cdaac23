"""Brings completed statements from another LRS: page by page to the exchange that the Learning centre publishes to.

The cursor is saved when the broker has confirmed a page, so a pull that is killed goes on with that page. What is
published twice is recorded once, by its statement id (decision 6).
"""

from __future__ import annotations

import uuid
from collections.abc import AsyncGenerator, Iterable
from datetime import datetime, timedelta

from bridge.broker import VIA, Outgoing, Publisher, Topology, routing_key
from bridge.clients.lrs import RemoteLrs
from bridge.domain.statements.results import Result, moment
from bridge.errors import NotFound
from bridge.store import Cursor, Pulls

OVERLAP = timedelta(seconds=1)
"""A later pull begins this much before the last statement: ``since`` leaves out what was stored at that very time."""


class LrsPull:
    """Pulls from one LRS at a time."""

    def __init__(self, pulls: Pulls, topology: Topology) -> None:
        self._pulls = pulls
        self._topology = topology

    async def pull(
        self, lrs: RemoteLrs, endpoint: str, verbs: Iterable[str], since: datetime | None, publisher: Publisher
    ) -> AsyncGenerator[int]:
        """Publish every statement with these verb IRIs, from where the last pull ended, or after ``since``.

        Yields how many were published, page by page; raises what ``RemoteLrs`` and ``Publisher`` raise, and then goes
        on from there the next time.
        """
        await publisher.declare(self._topology)
        for verb in verbs:
            start = Cursor(since.isoformat()) if since else await self._pulls.get(endpoint, verb)
            async for count in self._pull_verb(lrs, endpoint, verb, start, publisher):
                yield count

    async def _pull_verb(
        self, lrs: RemoteLrs, endpoint: str, verb: str, cursor: Cursor, publisher: Publisher
    ) -> AsyncGenerator[int]:
        address: str | None = cursor.more or lrs.first(verb, _earlier(cursor.since))
        while address:
            page = await self._page(lrs, verb, address, cursor)
            await publisher.publish([self._outgoing(verb, raw) for raw in page.statements])
            address = page.more or None
            cursor = Cursor(_through(page, cursor.since), address)
            await self._pulls.save(endpoint, verb, cursor)
            yield len(page.statements)

    async def _page(self, lrs: RemoteLrs, verb: str, address: str, cursor: Cursor) -> Result:
        """Read a page; a link from an earlier pull may have expired, and then it begins after what was published."""
        try:
            return await lrs.page(address)
        except NotFound:
            if address != cursor.more:
                raise
            return await lrs.page(lrs.first(verb, _earlier(cursor.since)))

    def _outgoing(self, verb: str, raw: bytes) -> Outgoing:
        return Outgoing(
            self._topology.statements, routing_key(verb), raw, correlation_id=uuid.uuid4().hex, headers={VIA: "pull"}
        )


def _through(page: Result, before: str | None) -> str | None:
    """Return up to when everything is published: the last statement, or less when the LRS vouches for less."""
    position = page.last_stored or before
    times = [time for text in (position, page.consistent_through) if text and (time := moment(text))]
    return min(times).isoformat() if position and times else before


def _earlier(since: str | None) -> str | None:
    time = moment(since) if since else None
    return (time - OVERLAP).isoformat().replace("+00:00", "Z") if time else None
