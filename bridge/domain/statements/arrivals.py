"""A statement as it came: its bytes, its identity, and what it means."""

from __future__ import annotations

import hashlib
import uuid
from dataclasses import dataclass
from datetime import datetime

from bridge.domain.lrs.index_keys import is_activity
from bridge.domain.privacy.people import people
from bridge.domain.record.entries import NAMESPACE
from bridge.domain.statements.agents import actor_key
from bridge.domain.statements.comparison import digest
from bridge.domain.statements.completions import Completion, Meaning, Rules, Statement, meaning


@dataclass(frozen=True, slots=True)
class Arrival:
    """A valid statement on its way into the ledger; ``digest`` tells whether two are the same (``comparison``).

    ``redelivered`` says that an earlier delivery of the very same message was cut off, or failed and was replayed.
    ``traceparent`` is the trace that brought it (W3C Trace Context), if any.
    ``actor_key`` is None for a Group; ``mentions`` are the identifier keys of everybody else that is named.
    """

    statement_id: str
    raw: bytes
    digest: bytes
    received_at: datetime
    meaning: Meaning
    actor_key: str | None
    mentions: frozenset[str]
    redelivered: bool = False
    traceparent: str | None = None


def arrival(
    statement: Statement,
    raw: bytes,
    received_at: datetime,
    rules: Rules,
    *,
    redelivered: bool = False,
    traceparent: str | None = None,
) -> Arrival:
    """Take in a valid statement.

    One without an id gets the id that its bytes determine, so that a redelivery is recognised
    (docs/decisions/0003).
    """
    own_id = statement.get("id")
    means = meaning(statement, received_at, rules)
    actor = means.actor_key if isinstance(means, Completion) else actor_key(statement["actor"])
    return Arrival(
        statement_id=own_id.lower() if own_id else str(uuid.uuid5(NAMESPACE, hashlib.sha256(raw).hexdigest())),
        raw=raw,
        digest=digest(statement),
        received_at=received_at,
        meaning=means,
        redelivered=redelivered,
        traceparent=traceparent,
        actor_key=actor,
        mentions=_others(statement, actor),
    )


def _others(statement: Statement, actor: str | None) -> frozenset[str]:
    """Return the identifier keys of whoever is named beside the actor; of most statements that is nobody."""
    if not ("context" in statement or "authority" in statement) and actor and is_activity(statement["object"]):
        return frozenset()
    return frozenset(key for key in people(statement) if key != actor)
