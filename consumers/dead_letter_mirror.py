"""The mirror of the dead letters, kept: each letter reaches it the moment it reaches the queue (docs/decisions/0005).

What comes while nobody listens is found by comparing the two (``Operations.refresh``).
"""

from __future__ import annotations

from typing import Any

from aio_pika.abc import AbstractChannel, AbstractQueue

from bridge.broker.connection import connection
from bridge.broker.dead_letters import read_dead_letter
from bridge.broker.deliveries import Inbox
from bridge.broker.topology import Topology
from bridge.services.operations.dead_letters import Operations
from bridge.settings import Settings
from consumers.consumer import Consumer, watch_connection

AT_ONCE, AT_ONCE_BYTES = 50, 8 * 2**20
"""Letters, and bytes of letters, taken together, and waiting meanwhile; a single one may have more."""

MOST_WAITING = 10_000  # letters kept for a mirror that is behind; those beyond it are found by the next comparison


class DeadLetterMirror(Consumer):
    """Copies dead letters to the mirror."""

    purpose = "dead letters"

    def __init__(self, settings: Settings, topology: Topology, operations: Operations) -> None:
        super().__init__(settings)
        self._topology = topology
        self._operations = operations

    async def session(self) -> None:
        """Copy what comes to a queue of its own."""
        async with connection(self._settings, self.purpose) as amqp:
            channel = await amqp.channel(publisher_confirms=False)
            await self._topology.declare(channel)
            inbox = Inbox(channel, await self._own_queue(channel), AT_ONCE, AT_ONCE_BYTES)
            await inbox.open()
            self.mark_working()
            await self.run_until_stopped(self._copy(inbox), watch_connection(amqp))

    async def _own_queue(self, channel: AbstractChannel) -> AbstractQueue:
        arguments: dict[str, Any] = {"x-queue-type": "classic", "x-max-length": MOST_WAITING}
        queue = await channel.declare_queue(exclusive=True, arguments=arguments)
        await queue.bind(self._topology.dead_letters)
        return queue

    async def _copy(self, inbox: Inbox) -> None:
        while True:
            messages = await inbox.batch(AT_ONCE, AT_ONCE_BYTES)
            letters = [read_dead_letter(message) for message in messages]
            await self.retry_while_unavailable(lambda letters=letters: self._operations.add_to_mirror(letters))
            await messages[-1].ack(multiple=True)
