"""Deliveries: what the broker has given and nobody has worked on yet, bounded in bytes; what a message says of itself.

AMQP counts messages, so the number asked for follows their size; what is too much all the same goes back to the queue.
A message that was in hand when a worker died twice in a row may be why. It is put aside and taken alone, once nothing
else waits, in no fixed order: whichever of them is to blame, the rest get done.
"""

from __future__ import annotations

import asyncio
import hashlib
import random
import time
import uuid
from collections import deque
from contextlib import suppress

import structlog
from aio_pika.abc import AbstractChannel, AbstractIncomingMessage, AbstractQueue

from bridge import tracing
from bridge.broker.publisher import PUBLISHED_AT
from bridge.broker.topology import SHORT_STRING
from bridge.domain.operations import Origin
from bridge.domain.record import NAMESPACE

log = structlog.get_logger(__name__)

AT_FIRST, AT_LEAST = 20, 2  # messages asked for before their size is known, and however large they are
DEATHS = 2  # deliveries that came to nothing before a message is taken alone
QUIET = 0.5  # seconds without another message before one of those put aside is taken
DELIVERIES = "x-delivery-count"  # header of a quorum queue: how often a message was delivered before, and came back


def is_suspect(message: AbstractIncomingMessage) -> bool:
    """Say whether a message was in hand at two deaths in a row; a publisher's own word does not count."""
    count = message.headers.get(DELIVERIES)
    return bool(message.redelivered) and isinstance(count, int) and count >= DEATHS


class Inbox:
    """Messages of one queue: ``limit`` of small ones, fewer of large ones, together ``most_bytes`` or a single one."""

    def __init__(self, channel: AbstractChannel, queue: AbstractQueue, limit: int, most_bytes: int) -> None:
        self._channel = channel
        self._queue = queue
        self._limit, self._most_bytes = limit, most_bytes
        self._prefetch = 0
        self.in_order = True  # until a message is put aside: then one may be open that came before another
        self._average_size = 0.0  # bytes of a message, the last ones counting most
        self._tag: str | None = None
        self._is_open = False
        self._changing = asyncio.Lock()
        self._messages: deque[AbstractIncomingMessage] = deque()
        self._suspects: list[AbstractIncomingMessage] = []
        self._bytes = 0
        self._has_message = asyncio.Event()
        self._last_at = 0.0

    async def open(self) -> None:
        """Begin to take messages."""
        self._is_open = True
        await self._subscribe(min(AT_FIRST, self._limit))

    async def close(self) -> None:
        """Stop taking messages; those delivered stay, to be worked on."""
        self._is_open = False
        await self._unsubscribe()

    async def next(self) -> AbstractIncomingMessage:
        """Wait for a message; a suspect comes when no other has for a while."""
        while not self._messages and (not self._suspects or self._since_the_last() < QUIET):
            self._has_message.clear()
            await self._fit()
            with suppress(TimeoutError):
                async with asyncio.timeout(QUIET if self._suspects else None):
                    await self._has_message.wait()
        message = self.next_waiting() or self._suspect()
        await self._fit()
        return message

    def next_waiting(self) -> AbstractIncomingMessage | None:
        """Return the next message if one has come by now; never a suspect."""
        return self._remove(self._messages.popleft()) if self._messages else None

    async def batch(self, size: int, weight_limit: int) -> list[AbstractIncomingMessage]:
        """Wait for a message, then take what has come by now, up to ``size`` messages or ``weight_limit`` bytes."""
        messages = [await self.next()]
        weight = len(messages[0].body)
        while len(messages) < size and weight < weight_limit and (message := self.next_waiting()) is not None:
            messages.append(message)
            weight += len(message.body)
        return messages

    def _since_the_last(self) -> float:
        return time.monotonic() - self._last_at

    def _suspect(self) -> AbstractIncomingMessage:
        message = self._suspects.pop(random.randrange(len(self._suspects)))  # nosec B311 - guards nothing
        log.warning(
            "message taken alone", correlation_id=message.correlation_id, deliveries=message.headers[DELIVERIES]
        )
        return self._remove(message)

    def _remove(self, message: AbstractIncomingMessage) -> AbstractIncomingMessage:
        self._bytes -= len(message.body)
        return message

    async def _on_message(self, message: AbstractIncomingMessage) -> None:
        size = len(message.body)
        if self._bytes and self._bytes + size > self._most_bytes:
            self._average_size = max(self._average_size, size)
            await self._unsubscribe()
            await message.nack(requeue=True)
            self._has_message.set()  # all others may be taken by now, and who waits has to ask again
            return
        self._bytes += size
        self._average_size = self._average_size + (size - self._average_size) / 8 if self._average_size else size
        suspect = is_suspect(message)
        self.in_order = self.in_order and not suspect
        (self._suspects if suspect else self._messages).append(message)
        self._last_at = time.monotonic()
        self._has_message.set()

    async def _fit(self) -> None:
        """Ask for more or fewer when messages of the usual size make a difference of two and more.

        After a pause for what was too much, messages come again once half of the room is free.
        """
        count = max(AT_LEAST, min(self._limit, int(self._most_bytes // max(self._average_size, 1))))
        if not self._is_open or (self._tag is None and self._bytes > self._most_bytes // 2):
            return
        if self._tag is None or not self._prefetch / 2 < count < self._prefetch * 2:
            await self._unsubscribe()
            await self._subscribe(count)

    async def _unsubscribe(self) -> None:
        async with self._changing:
            if self._tag is not None:
                tag, self._tag = self._tag, None
                await self._queue.cancel(tag)

    async def _subscribe(self, count: int) -> None:
        async with self._changing:
            if not self._is_open:
                return
            await self._channel.set_qos(prefetch_count=count)  # holds for consumers that start after it
            self._prefetch = count
            self._tag = await self._queue.consume(self._on_message)


class InFlight:
    """Messages in the order they were taken, which is the order they are settled in, and the memory that they take.

    AMQP shows nobody the head of a queue without giving it to them, so the age of the oldest message is that of the
    oldest in hand: what is still in the queue was published after it.
    """

    def __init__(self) -> None:
        self._messages: deque[tuple[float | None, int]] = deque()
        self._weight = 0
        self._settled = asyncio.Event()

    def add(self, message: AbstractIncomingMessage, weight: int = 0) -> None:
        """Note a message, and how many bytes of memory it takes."""
        self._messages.append((published_at(message), weight))
        self._weight += weight

    def remove_oldest(self) -> None:
        """Note that the oldest is settled."""
        self._weight -= self._messages.popleft()[1]
        self._settled.set()

    def clear(self) -> None:
        """Forget what was taken over a connection that is gone: it comes again."""
        self._messages.clear()
        self._weight = 0
        self._settled.set()

    async def wait_for_room(self, weight: int, limit: int) -> None:
        """Wait until so much more fits into ``limit`` bytes, or nothing is in hand."""
        while self._messages and self._weight + weight > limit:
            self._settled.clear()
            await self._settled.wait()

    @property
    def waits(self) -> bool:
        """Whether anything is in hand."""
        return bool(self._messages)

    @property
    def oldest_published_at(self) -> float | None:
        """When the oldest in hand was published, in seconds since 1970; None when it does not say, or there is none."""
        return self._messages[0][0] if self._messages else None


def origin_of(message: AbstractIncomingMessage) -> Origin:
    """Return where a delivered message comes from; without a correlation id, its body determines one."""
    return origin_at(message, message.exchange, message.routing_key)


def published_at(message: AbstractIncomingMessage) -> float | None:
    """Return when a message was published, in seconds since 1970; None when neither publisher nor broker said so.

    The header is to the millisecond; the property ``timestamp``, which others set, to the second (AMQP 0-9-1 §4.2.5.4).
    """
    stamp = message.headers.get(PUBLISHED_AT)
    if isinstance(stamp, int):
        return stamp / 1000
    return message.timestamp.timestamp() if message.timestamp else None


def origin_at(message: AbstractIncomingMessage, exchange: object, key: object) -> Origin:
    """Return where a message comes from when it was published to this exchange with this key."""
    correlation_id = message.correlation_id or _short(message.headers.get("x-correlation-id"))
    trace = message.headers.get(tracing.HEADER)
    return Origin(
        exchange=_short(exchange),
        routing_key=_short(key),
        correlation_id=correlation_id or uuid.uuid5(NAMESPACE, hashlib.sha256(message.body).hexdigest()).hex,
        content_type=message.content_type,
        content_encoding=message.content_encoding,
        traceparent=tracing.valid(trace) if trace else None,
    )


def _short(value: object) -> str:
    """Return a header's text, or none where it would not fit the property or the key that it is to be."""
    return value if isinstance(value, str) and len(value.encode()) <= SHORT_STRING else ""
