"""A queue split by member: RabbitMQ's consistent-hash exchange gives each worker the statements of its own members.

What is declared here is what ``docs/deployment.md`` tells operations to declare.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from bridge import wiring
from bridge.broker.connection import connection
from bridge.broker.publisher import Outgoing, publisher
from bridge.settings import Settings

HEADER = "x-member"


async def split(settings: Settings, queues: Sequence[str]) -> None:
    """Put a hashing exchange between the statements' own and these queues, and unbind the one queue."""
    async with connection(settings, "bench") as broker:
        channel = await broker.channel()
        names = wiring.topology(settings)
        statements = await channel.get_exchange(names.statements)
        hashing = await channel.declare_exchange(
            f"{names.statements}.by-member", "x-consistent-hash", durable=True, arguments={"hash-header": HEADER}
        )
        await hashing.bind(statements, "statement.completed")
        await (await channel.get_queue(names.completions)).unbind(statements, "statement.completed")
        for queue in queues:
            arguments: dict[str, Any] = {
                "x-queue-type": "quorum",
                "x-dead-letter-exchange": names.dead_letters,
                "x-delivery-limit": 20,
            }
            share = await channel.declare_queue(f"{settings.amqp_namespace}{queue}", durable=True, arguments=arguments)
            await share.bind(hashing, "1")


async def publish_by_member(settings: Settings, members: Sequence[int], statements: Sequence[bytes]) -> None:
    """Publish as a sender does that names each statement's member in a header."""
    exchange = wiring.topology(settings).statements
    messages = [
        Outgoing(exchange, "statement.completed", body, headers={HEADER: str(member)})
        for member, body in zip(members, statements, strict=True)
    ]
    async with publisher(settings, "bench") as out:
        for start in range(0, len(messages), 500):
            await out.publish(messages[start : start + 500])
