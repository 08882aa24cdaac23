"""E-mail to members: takes ``audit.*`` events off their queue, and sends the notices that they make."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from typing import Any

import orjson
import structlog
from aio_pika.abc import AbstractIncomingMessage

from bridge import tracing
from bridge.broker.deliveries import Inbox, origin_of
from bridge.broker.publisher import Publisher
from bridge.broker.topology import Topology
from bridge.clients.smtp import MailDeferred, Mailer, MailRefused
from bridge.domain.audit import ClaimedNotice
from bridge.metrics import NOTICES
from bridge.services.audit.notices import AuditNotices
from bridge.settings import Settings
from consumers.consumer import Consumer, QueueConsumer, Work

log = structlog.get_logger(__name__)

LOOK_EVERY = 5.0  # seconds between two looks for a notice whose time has come; a new event is looked after at once


class MailSender(Consumer):
    """Sends notices whose time has come; ``has_event`` is set when there is a new one."""

    purpose = "mail"

    def __init__(self, settings: Settings, notices: AuditNotices, mailer: Mailer) -> None:
        super().__init__(settings)
        self._notices = notices
        self._mailer = mailer
        self.has_event = asyncio.Event()

    async def session(self) -> None:
        """Send what is there, again and again."""
        self.mark_working()
        await self.run_until_stopped(self._send_all())

    async def _send_all(self) -> None:
        while True:
            self.has_event.clear()
            NOTICES.labels("uncertain").inc(await self.retry_while_unavailable(self._notices.give_up_claims))
            while await self._send_next():
                pass
            with suppress(TimeoutError):
                async with asyncio.timeout(LOOK_EVERY):
                    await self.has_event.wait()

    async def _send_next(self) -> bool:
        async with self.in_hand:
            claim = await self.retry_while_unavailable(self._notices.claim_next)
            if claim is None:
                return False
            state = await self._send(claim)
        NOTICES.labels(state).inc()
        log.info("notice tried", notice_id=claim.notice["_id"], state=state, attempts=claim.notice["attempts"])
        return True

    async def _send(self, claim: ClaimedNotice) -> str:
        notice, notices = claim.notice, self._notices
        try:
            message_id = await self._mailer.send(claim)
        except MailRefused as error:
            status = error.status
            await self.retry_while_unavailable(lambda: notices.record_outcome(notice, "refused", status))
            return "refused"
        except MailDeferred as error:
            status = error.status
            await self.retry_while_unavailable(lambda: notices.retry_later(notice, status))
            return "later"
        await self.retry_while_unavailable(lambda: notices.record_sent(notice, message_id))
        return "sent"


class NoticeConsumer(QueueConsumer):
    """Makes notices of ``audit.*`` events, for ``sender``."""

    purpose = "notices"
    prefetch, most_bytes = 20, 4 * 2**20

    def __init__(self, settings: Settings, topology: Topology, notices: AuditNotices, sender: MailSender) -> None:
        super().__init__(settings, topology, topology.notices)
        self._notices = notices
        self._sender = sender

    def work(self, inbox: Inbox, publisher: Publisher) -> Sequence[Work]:  # noqa: ARG002 - it publishes nothing
        """Make notices of what comes."""
        return [self._make_notices(inbox)]

    async def _make_notices(self, inbox: Inbox) -> None:
        while True:
            message = await inbox.next()
            event = _event(message)
            if event is None:
                log.warning("event refused", correlation_id=message.correlation_id)
                await message.reject(requeue=False)  # to the dead letters
                continue
            fields = event["id"], event["type"], event["subject"], event["data"]
            with tracing.span(f"process {self._topology.notices}", "consumer", origin_of(message).traceparent):
                await self.retry_while_unavailable(lambda fields=fields: self._notices.create_from_event(*fields))
            await message.ack()
            self._sender.has_event.set()


def _event(message: AbstractIncomingMessage) -> dict[str, Any] | None:
    """Return one of our CloudEvents, or None for what is none."""
    with suppress(orjson.JSONDecodeError):
        event = orjson.loads(message.body)
        names = ("id", "type", "subject")
        if isinstance(event, dict) and all(isinstance(event.get(name), str) for name in names):  # pyright: ignore[reportUnknownMemberType] - any JSON
            data = event.get("data")  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType] - as above
            return event if isinstance(data, dict) and {"case_id", "state"} <= data.keys() else None  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType] - as above
    return None
