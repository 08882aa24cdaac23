"""An event about a member, as the outbox has it until it is published (api.md, AMQP out)."""

from __future__ import annotations

from datetime import datetime
from typing import Any


def event(
    kind: str,
    key: str,
    member_id: str,
    place: tuple[int, int],
    at: datetime,
    data: dict[str, Any],
    traceparent: str | None = None,
) -> dict[str, Any]:
    """Make an outbox row; ``key`` makes the event's id, ``data`` holds ids, states and dates only.

    ``place`` is where it stands among the member's events: the number of the act that it is written in, which the
    member's own document counts, and its number within that act. ``at`` is when the thing happened. ``traceparent`` is
    the trace it belongs to (W3C Trace Context), if any.
    """
    act, number = place
    row = {"_id": f"{kind}:{key}", "type": kind, "member_id": member_id, "at": at, "data": data}
    return {**row, "act": act, "n": number, **({} if traceparent is None else {"traceparent": traceparent})}
