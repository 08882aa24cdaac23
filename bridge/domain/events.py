"""Events about members (AMQP out): what each kind tells, its row in the outbox, and the CloudEvent it goes out as.

Ids, states and dates only, never free text.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final, Generic, NotRequired, TypedDict, TypeVar

EVENT_MEDIA_TYPE: Final = "application/cloudevents+json"
"""CloudEvents 1.0, JSON format, structured content mode."""


class DraftData(TypedDict):
    """The data of ``log.drafted``."""

    entry_id: str
    statement_id: str


class EntryData(TypedDict):
    """The data of ``log.withdrawn``."""

    entry_id: str


class CompletedEntryData(EntryData):
    """The data of ``log.completed``."""

    date: str | None


class CaseData(TypedDict):
    """The data of ``audit.selected``, ``audit.submitted``, ``audit.returned`` and ``audit.closed``."""

    case_id: str
    period_id: str
    state: str
    due_date: str
    receipt: str | None


class DueCaseData(CaseData):
    """The data of ``audit.due``."""

    days: int


class PeriodEndData(TypedDict):
    """The data of ``period.ending``."""

    period_id: str
    end: str


class ErasureData(TypedDict):
    """The data of ``member.erased``."""

    erased_at: str


D = TypeVar("D", bound=Mapping[str, object])


@dataclass(frozen=True)
class EventType(Generic[D]):
    """A kind of event: its name, which is also its routing key, when it is sent, its data and an example of them."""

    name: str
    summary: str
    data: type[D]
    example: D


_CASE: Final[CaseData] = {
    "case_id": "0b6e8f5c-2a1d-4c37-9e40-7f5d3b8a6c12",
    "period_id": "2026-04-01",
    "state": "selected",
    "due_date": "2026-06-15",
    "receipt": None,
}
_RECEIPT: Final = "K5QW4ZDFOJSXGIDCMFZWKNRUEE"

LOG_DRAFTED: Final = EventType(
    "log.drafted",
    "A completion became a draft in the member's log.",
    DraftData,
    {"entry_id": "8d1f7a52-6c3e-5f0b-9a2d-4e7b1c0d9f38", "statement_id": "53824105-ffed-4ddd-926e-ef2954f82f69"},
)
LOG_WITHDRAWN: Final = EventType(
    "log.withdrawn",
    "A draft that its member had not touched was withdrawn: its statement was voided.",
    EntryData,
    {"entry_id": "8d1f7a52-6c3e-5f0b-9a2d-4e7b1c0d9f38"},
)
LOG_COMPLETED: Final = EventType(
    "log.completed",
    "An entry became complete: no draft, and no needed field empty.",
    CompletedEntryData,
    {"entry_id": "8d1f7a52-6c3e-5f0b-9a2d-4e7b1c0d9f38", "date": "2026-05-04"},
)
AUDIT_SELECTED: Final = EventType("audit.selected", "A member was selected for the Register Audit.", CaseData, _CASE)
AUDIT_SUBMITTED: Final = EventType(
    "audit.submitted",
    "A member submitted the record of a year; it is frozen.",
    CaseData,
    {**_CASE, "state": "submitted", "receipt": _RECEIPT},
)
AUDIT_RETURNED: Final = EventType(
    "audit.returned",
    "A case was returned to its member; the record is open again until the new due date.",
    CaseData,
    {**_CASE, "state": "returned", "due_date": "2026-07-06", "receipt": _RECEIPT},
)
AUDIT_CLOSED: Final = EventType(
    "audit.closed",
    "A case ended: it was closed, withdrawn, or satisfied elsewhere.",
    CaseData,
    {**_CASE, "state": "closed", "receipt": _RECEIPT},
)
AUDIT_DUE: Final = EventType(
    "audit.due", "A record is due soon: sent 30, 7 and 3 days before.", DueCaseData, {**_CASE, "days": 7}
)
PERIOD_ENDING: Final = EventType(
    "period.ending",
    "A membership year ends soon.",
    PeriodEndData,
    {"period_id": "2026-04-01", "end": "2027-03-31"},
)
MEMBER_ERASED: Final = EventType(
    "member.erased",
    "A member was erased; nothing else about the member follows.",
    ErasureData,
    {"erased_at": "2026-05-04T10:00:00.123000+00:00"},
)

EVENT_TYPES: Final[tuple[EventType[Any], ...]] = (
    *(LOG_DRAFTED, LOG_WITHDRAWN, LOG_COMPLETED),
    *(AUDIT_SELECTED, AUDIT_SUBMITTED, AUDIT_RETURNED, AUDIT_CLOSED, AUDIT_DUE),
    *(PERIOD_ENDING, MEMBER_ERASED),
)


class OutboxEvent(TypedDict):
    """A document of ``outbox``: an event that the broker does not have yet."""

    _id: str  # the event's id: its type and key
    type: str  # such as ``log.drafted``
    member_id: str
    at: datetime  # when the thing happened
    data: Mapping[str, object]
    act: int  # the number of the member's act that it was written in
    n: int  # its number within that act
    traceparent: NotRequired[str]  # the trace it belongs to (W3C Trace Context)


def event(
    kind: EventType[D],
    key: str,
    member_id: str,
    place: tuple[int, int],
    at: datetime,
    data: D,
    traceparent: str | None = None,
) -> OutboxEvent:
    """Make an outbox row; ``key`` makes the event's id, ``data`` holds ids, states and dates only.

    ``place`` is where it stands among the member's events: the number of the transaction that it is written in, which
    the member's own document counts (``acts``), and its number within that. ``at`` is when the thing happened.
    ``traceparent`` is the trace it belongs to (W3C Trace Context), if any.
    """
    act, number = place
    row: OutboxEvent = {
        "_id": f"{kind.name}:{key}",
        "type": kind.name,
        "member_id": member_id,
        "at": at,
        "data": data,
        "act": act,
        "n": number,
    }
    return row if traceparent is None else {**row, "traceparent": traceparent}


def cloud_event(row: OutboxEvent, source: str) -> dict[str, Any]:
    """Make the CloudEvent of an outbox row, as ``schemas/messages/event.json`` describes it."""
    return {
        "specversion": "1.0",
        "id": row["_id"],
        "source": source,
        "type": row["type"],
        "subject": row["member_id"],
        "time": row["at"].astimezone(UTC).isoformat().replace("+00:00", "Z"),
        "datacontenttype": "application/json",
        "data": row["data"],
    }
