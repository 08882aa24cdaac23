"""An event about a member, as the outbox has it until it is published (api.md, AMQP out)."""

from __future__ import annotations

from datetime import datetime
from typing import NotRequired, TypedDict

EventData = dict[str, str | int | None]
"""What an event tells: ids, states and dates only, never free text."""


class OutboxEvent(TypedDict):
    """A document of ``outbox``: an event that the broker does not have yet."""

    _id: str  # the event's id: its type and key
    type: str  # such as ``log.drafted``
    member_id: str
    at: datetime  # when the thing happened
    data: EventData
    act: int  # the number of the member's act that it was written in
    n: int  # its number within that act
    traceparent: NotRequired[str]  # the trace it belongs to (W3C Trace Context)


def event(
    kind: str,
    key: str,
    member_id: str,
    place: tuple[int, int],
    at: datetime,
    data: EventData,
    traceparent: str | None = None,
) -> OutboxEvent:
    """Make an outbox row; ``key`` makes the event's id, ``data`` holds ids, states and dates only.

    ``place`` is where it stands among the member's events: the number of the transaction that it is written in, which
    the member's own document counts (``acts``), and its number within that. ``at`` is when the thing happened.
    ``traceparent`` is the trace it belongs to (W3C Trace Context), if any.
    """
    act, number = place
    row: OutboxEvent = {
        "_id": f"{kind}:{key}",
        "type": kind,
        "member_id": member_id,
        "at": at,
        "data": data,
        "act": act,
        "n": number,
    }
    return row if traceparent is None else {**row, "traceparent": traceparent}
