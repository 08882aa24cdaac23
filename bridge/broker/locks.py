"""A lock held by a connection: what only one process at a time may do, and never one whose connection is gone.

It is an exclusive queue, which goes with the connection that declared it: so the broker decides who holds it, and who
was cut off can do nothing more once another has it.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress

from aio_pika.abc import AbstractConnection
from aiormq.exceptions import ChannelLockedResource

ASK_EVERY = 0.1  # seconds between two tries to take a lock: the broker does not tell when it is free


async def acquire(amqp: AbstractConnection, name: str) -> bool:
    """Take the lock for as long as the connection lives; False when another connection has it."""
    channel = await amqp.channel(publisher_confirms=False)
    try:
        await channel.declare_queue(name, durable=False, exclusive=True, arguments={"x-queue-type": "classic"})
    except ChannelLockedResource:
        return False
    return True


async def acquire_within(amqp: AbstractConnection, name: str, seconds: float) -> bool:
    """Take the lock, waiting up to so many seconds for it; False when it was not to be had."""
    with suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            while not await acquire(amqp, name):  # noqa: ASYNC110 - the other process cannot set an event here
                await asyncio.sleep(ASK_EVERY)
            return True
    return False
