"""The member feed: takes ``cpd.members``, one message after another, and settles each once it is durable."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import orjson
import structlog
from aio_pika.abc import AbstractIncomingMessage
from pydantic import ValidationError

from bridge import tracing
from bridge.api.http import validation_errors
from bridge.broker.dead_letters import outgoing_dead_letter
from bridge.broker.deliveries import Inbox, origin_of
from bridge.broker.publisher import Publisher
from bridge.broker.topology import Topology
from bridge.domain.fields import whole_numbers
from bridge.domain.members import MemberLeft, MemberUpserted
from bridge.domain.operations import DeadLetter
from bridge.domain.statements import BadBody, Reason, bodies
from bridge.errors import Conflict
from bridge.logs import failure
from bridge.metrics import MEMBER_CHANGES
from bridge.services.members.members import FeedResult, Membership
from bridge.settings import Settings
from consumers.consumer import Backoff, QueueConsumer, Work

log = structlog.get_logger(__name__)

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


class MemberConsumer(QueueConsumer):
    """Consumes ``cpd.members``."""

    purpose = "members"
    prefetch, most_bytes = 50, 8 * 2**20

    def __init__(self, settings: Settings, topology: Topology, membership: Membership) -> None:
        super().__init__(settings, topology, topology.members)
        self._membership = membership

    def work(self, inbox: Inbox, publisher: Publisher) -> Sequence[Work]:
        """Take one message after another."""
        return [self._take_messages(inbox, publisher)]

    async def _take_messages(self, inbox: Inbox, publisher: Publisher) -> None:
        while True:
            message = await inbox.next()
            self.in_flight.add(message)
            parent = origin_of(message).traceparent
            async with self.in_hand:
                with tracing.span(f"process {self._queue}", "consumer", parent, tracing.RABBITMQ):
                    result = await self._settle(message, publisher)
            self.in_flight.remove_oldest()
            MEMBER_CHANGES.labels(result).inc()
            log.debug("member change settled", result=result, correlation_id=message.correlation_id)

    async def _settle(self, message: AbstractIncomingMessage, publisher: Publisher) -> str:
        try:
            result = str((await self._apply(message)).value)
        except RejectedMessage as error:
            result = error.reason.value
            letter = DeadLetter(
                message.body, error.reason, error.detail, origin_of(message), datetime.now(UTC), error.attempts
            )
            await publisher.publish([outgoing_dead_letter(letter, self._topology)])
        await message.ack()
        return result

    async def _apply(self, message: AbstractIncomingMessage) -> FeedResult:
        """Apply one message; raises ``RejectedMessage``. What fails by itself is tried again with growing pauses."""
        change = read_change(message, self._settings.max_body_bytes)
        backoff = Backoff(first=0.05)
        attempts = 0
        while True:
            attempts += 1
            try:
                return await self.retry_while_unavailable(lambda: self._membership.apply(change))
            except Conflict as error:
                place = error.field_errors[0].pointer if error.field_errors else "/member_id"
                raise RejectedMessage(Reason.CONFLICT, f"{place}: {_CONFLICT}", attempts) from None
            except Exception as error:  # whatever a message provokes must not stop the queue
                log.warning("member change failed", attempts=attempts, **failure(error))
                if attempts >= self._settings.max_attempts:
                    detail = f"{_EXHAUSTED}; {attempts} attempts failed"
                    raise RejectedMessage(Reason.EXHAUSTED, detail, attempts) from None
            await backoff.wait()  # a stop hurries nothing: what is not settled in time comes again


_CONFLICT = "an identifier that no other member has was expected"
_EXHAUSTED = "a change that can be stored was expected"


def read_change(message: AbstractIncomingMessage, limit: int) -> MemberUpserted | MemberLeft:
    """Decode and check a message of at most ``limit`` bytes, packed or unpacked; raises ``RejectedMessage``."""
    model = BODIES.get(message.routing_key or "")
    if model is None:
        expected = "/: the routing key member.upserted or member.left was expected"
        raise RejectedMessage(Reason.INVALID_STATEMENT, expected)
    try:
        body = bodies.unpacked(message.body, limit, message.content_encoding, message.content_type)
        value = bodies.decoded(body)
    except BadBody as error:
        raise RejectedMessage(error.reason, str(error)) from None
    return checked(value, model)


def checked(value: Any, model: type[MemberUpserted | MemberLeft]) -> MemberUpserted | MemberLeft:
    """Check decoded JSON, as ``schemas/messages/member.json`` describes it; raises ``RejectedMessage``."""
    try:
        return model.model_validate_json(orjson.dumps(whole_numbers(value)), strict=True)
    except ValidationError as error:
        raise RejectedMessage(Reason.INVALID_STATEMENT, _fault(error, value, model)) from None


def _fault(error: ValidationError, value: Any, model: type[MemberUpserted | MemberLeft]) -> str:
    first = validation_errors.of_body(error, value, model, frozenset())[0]
    return f"{first.pointer or '/'}: {_QUOTED.sub('', first.message)}"
