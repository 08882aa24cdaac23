"""Makes dead letters, and lists them."""

from __future__ import annotations

import orjson

from bridge.domain.operations.letters import DeadLetterFilter
from bridge.services.operations.dead_letters import Operations
from tests.support.journey import Journey
from tests.support.statements import completed

ANY_LETTER = DeadLetterFilter()
NEWEST = [("failed_at", True)]


async def bad(bridge: Journey, count: int = 1) -> list[bytes]:
    """Let the worker refuse this many statements; returns their bodies in order."""
    bodies = [orjson.dumps({**completed(f"{number}"), "verb": {"id": "completed"}}) for number in range(count)]
    await bridge.settled(await bridge.publish(bodies))
    return bodies


async def ids(ops: Operations, letter_filter: DeadLetterFilter = ANY_LETTER) -> list[str]:
    """The ids of the letters that are listed."""
    return [letter["_id"] for letter in (await ops.list(letter_filter, [("failed_at", False)], 200, None)).items]
