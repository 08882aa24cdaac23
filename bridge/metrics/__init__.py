"""Every metric of the service, for Prometheus: the one home of their names, labels and help (docs/decisions/0010).

Names begin with ``cpd_bridge_``, durations are in seconds, times are seconds since 1970. A label's values come from a
closed list: our own enumerations, route templates, or ``other``. Nothing here can hold a member, an id or a text.
What is read from the broker and the store on a timer is in ``bridge.metrics.readings``.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final

import prometheus_client
from prometheus_client import Counter, Histogram

prometheus_client.disable_created_metrics()  # a second time series for each, which no rule and no dashboard asks for

_FAST: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
_PATIENT: Final = (0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0, 1800.0, 7200.0)
_SIZES: Final = (1, 2, 5, 10, 25, 50, 100, 200, 300, 400, 500, 1000, 2500, 5000)

REQUESTS: Final = Counter("cpd_bridge_http_requests_total", "HTTP calls answered.", ("route", "method", "status"))
REQUEST_SECONDS: Final = Histogram(
    "cpd_bridge_http_request_seconds", "Seconds to answer an HTTP call.", ("route", "method"), buckets=_FAST
)
DENIALS: Final = Counter(
    "cpd_bridge_access_denials_total",
    "Callers refused: without a token that holds, a role or a right.",
    ("reason", "role"),
)

STORE_SECONDS: Final = Histogram(
    "cpd_bridge_store_command_seconds", "Seconds that MongoDB took for a command.", ("command",), buckets=_FAST
)
CONFLICTS: Final = Counter(
    "cpd_bridge_store_conflicts_total", "Transactions run again because another one changed the same documents."
)
STORE_FAILURES: Final = Counter(
    "cpd_bridge_store_command_failures_total", "MongoDB commands that failed.", ("command",)
)
CONFIRM_SECONDS: Final = Histogram(
    "cpd_bridge_broker_confirm_seconds", "Seconds until RabbitMQ confirmed what was published together.", buckets=_FAST
)
CONFIRM_FAILURES: Final = Counter(
    "cpd_bridge_broker_confirm_failures_total", "Times that RabbitMQ did not confirm what was published."
)

STATEMENTS: Final = Counter(
    "cpd_bridge_statements_total", "Statements settled, by what became of them.", ("disposition", "reason")
)
BATCH_STATEMENTS: Final = Histogram("cpd_bridge_batch_statements", "Statements settled together.", buckets=_SIZES)
PUBLISH_TO_DRAFT: Final = Histogram(
    "cpd_bridge_publish_to_draft_seconds",
    "Seconds from publishing to a durable outcome, of the oldest message in each batch, if it says when that was.",
    buckets=_PATIENT,
)
MEMBER_CHANGES: Final = Counter(
    "cpd_bridge_member_changes_total", "Messages of the member feed, by what became of them.", ("result",)
)
EVENTS: Final = Counter("cpd_bridge_events_published_total", "Events that the broker confirmed.", ("type",))
NOTICES: Final = Counter("cpd_bridge_notices_total", "E-mail notices, by what became of a try.", ("state",))

COMMANDS: Final = frozenset(
    {
        "abortTransaction", "aggregate", "commitTransaction", "count", "create", "createIndexes", "delete", "distinct",
        "endSessions", "explain", "find", "findAndModify", "getMore", "insert", "killCursors", "listCollections",
        "listIndexes", "ping", "update",
    }
)  # fmt: skip
"""MongoDB commands that are told apart."""

OTHER: Final = "other"


def bounded(value: str, known_values: Iterable[str]) -> str:
    """Return ``value`` when it is known, else ``other``: a label never takes what a client or a message says."""
    return value if value in known_values else OTHER


def settled(counts: Mapping[tuple[str, str], int], published_at: float | None, now: float) -> None:
    """Count a batch: (disposition, reason or empty) → statements, and when its oldest message was published."""
    for labels, count in counts.items():
        STATEMENTS.labels(*labels).inc(count)
    BATCH_STATEMENTS.observe(sum(counts.values()))
    if published_at is not None:
        PUBLISH_TO_DRAFT.observe(max(0.0, now - published_at))


def denied(reason: str, role: str) -> None:
    """Count a caller who was refused: ``reason`` is the problem's slug, ``role`` the caller's only role."""
    DENIALS.labels(reason, role).inc()


def exposition() -> tuple[bytes, str]:
    """Return the page for Prometheus and its content type."""
    return prometheus_client.generate_latest(), prometheus_client.CONTENT_TYPE_LATEST
