"""The member feed: takes ``cpd.members``, one message after another, and settles each once it is durable."""

from __future__ import annotations

import asyncio
import re
from datetime import UTC, datetime
from typing import Any

import orjson
import structlog
from aio_pika.abc import AbstractIncomingMessage
from pydantic import ValidationError

from bridge import tracing
from bridge.api.http import validation_errors as faults
from bridge.broker.dead_letters import DeadLetter, Origin
from bridge.broker.publisher import Publisher
from bridge.broker.topology import Topology
from bridge.domain.fields import whole_numbers
from bridge.domain.statements import bodies, decoding, unpacking
from bridge.domain.statements.dispositions import Reason
from bridge.errors import Conflict
from bridge.logs import failure
from bridge.metrics import MEMBER_CHANGES
from bridge.services.members.feed import FeedResult, MemberFeed, MemberLeft, MemberUpserted
from bridge.settings import Settings
from consumers.backoff import Backoff
from consumers.in_flight import InFlight
from consumers.inbox import Inbox
from consumers.supervisor import Life, consume, watch_queue

log = structlog.get_logger(__name__)

PREFETCH, WAITING = 50, 8 * 2**20
"""Messages, and bytes of messages, that wait while one is worked on."""

_QUOTED = re.compile(r" \([^)]*\)")  # the messages about periods name their dates in brackets

BODIES: dict[str, type[MemberUpserted | MemberLeft]] = {"member.upserted": MemberUpserted, "member.left": MemberLeft}
"""Routing key → what its body is."""


class RejectedMessage(Exception):
    """A message that goes to the dead letters; ``detail`` names the place and what was expected, never the value."""

    def __init__(self, reason: Reason, detail: str, attempts: int = 1) -> None:
        super().__init__(reason.value)
        self.reason = reason
        self.detail = detail
        self.attempts = attempts


class MemberConsumer:
    """Consumes ``cpd.members`` until told to stop."""

    def __init__(self, settings: Settings, topology: Topology, feed: MemberFeed) -> None:
        self._settings = settings
        self._topology = topology
        self._feed = feed
        self._settling = asyncio.Lock()
        self.life = Life("members")
        self.in_hand = InFlight()

    async def run(self) -> None:
        """Work until stopped."""
        await self.life.run(self._session)

    async def _session(self) -> None:
        queue = self._topology.members
        async with consume(self._settings, self._topology, queue, "members", PREFETCH, WAITING) as (
            channel,
            inbox,
            publisher,
        ):
            self._settling = asyncio.Lock()
            self.in_hand.clear()
            self.life.working()
            await self.life.until_stopped(
                self._work(inbox, publisher),
                watch_queue(channel, queue),
                settle=self._settling.acquire,
                within=self._settings.shutdown_timeout,
            )

    async def _work(self, inbox: Inbox, publisher: Publisher) -> None:
        while True:
            message = await inbox.next()
            self.in_hand.add(message)
            async with self._settling:  # whoever stops the session waits for it
                with tracing.span(
                    f"process {self._topology.members}", "consumer", Origin.of(message).traceparent, tracing.RABBITMQ
                ):
                    result = await self._settle(message, publisher)
            self.in_hand.remove_oldest()
            MEMBER_CHANGES.labels(result).inc()
            log.debug("member change settled", result=result, correlation_id=message.correlation_id)

    async def _settle(self, message: AbstractIncomingMessage, publisher: Publisher) -> str:
        try:
            result = str((await self._applied(message)).value)
        except RejectedMessage as refused:
            result = refused.reason.value
            letter = DeadLetter(
                message.body, refused.reason, refused.detail, Origin.of(message), datetime.now(UTC), refused.attempts
            )
            await publisher.publish([letter.outgoing(self._topology)])
        await message.ack()
        return result

    async def _applied(self, message: AbstractIncomingMessage) -> FeedResult:
        """Apply one message; raises ``Refused``. What fails by itself is tried again with growing pauses."""
        given = read(message, self._settings.max_body_bytes)
        pauses = Backoff(first=0.05)
        attempts = 0
        while True:
            attempts += 1
            try:
                return await self.life.retry_while_unavailable(lambda: self._apply(given))
            except Conflict as error:
                place = error.field_errors[0].pointer if error.field_errors else "/member_id"
                raise RejectedMessage(Reason.CONFLICT, f"{place}: {_CONFLICT}", attempts) from None
            except Exception as error:  # whatever a message provokes must not stop the queue
                log.warning("member change failed", attempts=attempts, **failure(error))
                if attempts >= self._settings.max_attempts:
                    raise RejectedMessage(
                        Reason.EXHAUSTED, f"{_EXHAUSTED}; {attempts} attempts failed", attempts
                    ) from None
            await pauses.wait()  # a stop hurries nothing: what is not settled in time comes again

    async def _apply(self, given: MemberUpserted | MemberLeft) -> FeedResult:
        if isinstance(given, MemberLeft):
            return await self._feed.record_left(given)
        return await self._feed.upsert(given)


_CONFLICT = "an identifier that no other member has was expected"
_EXHAUSTED = "a change that can be stored was expected"


def read(message: AbstractIncomingMessage, limit: int) -> MemberUpserted | MemberLeft:
    """Decode and check a message of at most ``limit`` bytes, packed or unpacked; raises ``Refused``."""
    model = BODIES.get(message.routing_key or "")
    if model is None:
        raise RejectedMessage(
            Reason.INVALID_STATEMENT, "/: the routing key member.upserted or member.left was expected"
        )
    try:
        body = unpacking.unpacked(message.body, limit, message.content_encoding, message.content_type)
        value = decoding.decoded(body)
    except bodies.BodyTooLarge as error:
        raise RejectedMessage(Reason.TOO_LARGE, str(error)) from None
    except bodies.UnreadableBody as error:
        raise RejectedMessage(Reason.NOT_JSON, str(error)) from None
    except decoding.Unkeepable as error:
        raise RejectedMessage(Reason.INVALID_STATEMENT, str(error)) from None
    return checked(value, model)


def checked(value: Any, model: type[MemberUpserted | MemberLeft]) -> MemberUpserted | MemberLeft:
    """Check decoded JSON, as ``schemas/messages/member.json`` describes it; raises ``Refused``."""
    try:
        return model.model_validate_json(orjson.dumps(whole_numbers(value)), strict=True)
    except ValidationError as error:
        raise RejectedMessage(Reason.INVALID_STATEMENT, _fault(error, value, model)) from None


def _fault(error: ValidationError, value: Any, model: type[MemberUpserted | MemberLeft]) -> str:
    first = faults.of_body(error, value, model, frozenset())[0]
    return f"{first.pointer or '/'}: {_QUOTED.sub('', first.message)}"
