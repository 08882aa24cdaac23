"""E-mail to members: takes ``audit.*`` events off their queue, and sends the notices that they make."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import Any

import orjson
import structlog
from aio_pika.abc import AbstractIncomingMessage

from bridge import tracing
from bridge.broker.dead_letters import Origin
from bridge.broker.topology import Topology
from bridge.clients.smtp import MailDeferred, Mailer, MailRefused
from bridge.domain.members.notices import Claimed
from bridge.metrics import NOTICES
from bridge.services.members.notices import AuditNotices
from bridge.settings import Settings
from consumers.inbox import Inbox
from consumers.supervisor import Life, consume, watch_queue

log = structlog.get_logger(__name__)

PREFETCH, WAITING = 20, 4 * 2**20
"""Events, and bytes of events, that wait while one is worked on."""

LOOK_EVERY = 5.0
"""Seconds between two looks for a notice whose time has come; a new event is looked after at once."""


class Notifier:
    """Makes notices of events and sends them, until told to stop."""

    def __init__(self, settings: Settings, topology: Topology, board: AuditNotices, mailer: Mailer) -> None:
        self._settings = settings
        self._topology = topology
        self._board = board
        self._mailer = mailer
        self._has_event = asyncio.Event()
        self._in_hand = asyncio.Lock()
        self.life = Life("notices")
        self._sending = Life("mail")

    def stop(self) -> None:
        """Take nothing more, and let a message that is being handed over get there."""
        self.life.stop()
        self._sending.stop()

    async def run(self) -> None:
        """Work until stopped."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self.life.run(self._session))
            group.create_task(self._sending.run(self._send_session))

    async def _session(self) -> None:
        queue = self._topology.notices
        async with consume(self._settings, self._topology, queue, "notices", PREFETCH, WAITING) as (channel, inbox, _):
            self.life.working()
            await self.life.until_stopped(self._take(inbox), watch_queue(channel, queue))

    async def _take(self, inbox: Inbox) -> None:
        while True:
            message = await inbox.next()
            event = _event(message)
            if event is None:
                log.warning("event refused", correlation_id=message.correlation_id)
                await message.reject(requeue=False)  # to the dead letters
                continue
            said = event["id"], event["type"], event["subject"], event["data"]
            with tracing.span(f"process {self._topology.notices}", "consumer", Origin.of(message).traceparent):
                await self.life.retry_while_unavailable(lambda said=said: self._board.create_from_event(*said))
            await message.ack()
            self._has_event.set()

    async def _send_session(self) -> None:
        self._in_hand = asyncio.Lock()
        self._sending.working()
        await self._sending.until_stopped(
            self._send_all(), settle=self._in_hand.acquire, within=self._settings.shutdown_timeout
        )

    async def _send_all(self) -> None:
        while True:
            self._has_event.clear()
            NOTICES.labels("uncertain").inc(await self._sending.retry_while_unavailable(self._board.give_up_claims))
            while await self._send_next():
                pass
            with suppress(TimeoutError):
                async with asyncio.timeout(LOOK_EVERY):
                    await self._has_event.wait()

    async def _send_next(self) -> bool:
        async with self._in_hand:  # whoever stops waits for it
            claimed = await self._sending.retry_while_unavailable(self._board.claim_next)
            if claimed is None:
                return False
            state = await self._send(claimed)
        NOTICES.labels(state).inc()
        log.info("notice tried", notice_id=claimed.notice["_id"], state=state, attempts=claimed.notice["attempts"])
        return True

    async def _send(self, claimed: Claimed) -> str:
        notice, board, patiently = claimed.notice, self._board, self._sending.retry_while_unavailable
        try:
            message_id = await self._mailer.send(claimed)
        except MailRefused as refused:
            status = refused.status
            await patiently(lambda: board.record_outcome(notice, "refused", status))
            return "refused"
        except MailDeferred as later:
            status = later.status
            await patiently(lambda: board.retry_later(notice, status))
            return "later"
        await patiently(lambda: board.record_sent(notice, message_id))
        return "sent"


def _event(message: AbstractIncomingMessage) -> dict[str, Any] | None:
    """Return one of our CloudEvents, or None for what is none."""
    with suppress(orjson.JSONDecodeError):
        event = orjson.loads(message.body)
        names = ("id", "type", "subject")
        if isinstance(event, dict) and all(isinstance(event.get(name), str) for name in names):  # pyright: ignore[reportUnknownMemberType] - any JSON
            data = event.get("data")  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType] - as above
            return event if isinstance(data, dict) and {"case_id", "state"} <= data.keys() else None  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType] - as above
    return None
