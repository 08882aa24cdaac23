"""Dead letters: what could not be taken, byte for byte, with the reason in the headers (api.md)."""

from __future__ import annotations

import hashlib
import uuid
from dataclasses import dataclass
from datetime import datetime

from bridge.broker.publisher import Outgoing
from bridge.broker.topology import Topology
from bridge.domain.dispositions import Reason
from bridge.domain.entries import NAMESPACE


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a message came from, so that a replay can put it back."""

    exchange: str
    routing_key: str
    correlation_id: str
    content_type: str | None = None
    content_encoding: str | None = None


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """One refused statement, or a whole message that could not be read."""

    body: bytes
    reason: Reason
    detail: str
    origin: Origin
    failed_at: datetime
    attempts: int = 1

    def outgoing(self, topology: Topology) -> Outgoing:
        """Return the message for the dead-letter exchange.

        Its id follows from the body and where it came from, so that one written twice (the worker died between
        writing it and acknowledging) can be told from two.
        """
        seed = f"{self.origin.routing_key}/{self.reason}/{hashlib.sha256(self.body).hexdigest()}"
        return Outgoing(
            exchange=topology.dead_letters,
            routing_key=self.reason.value,
            body=self.body,
            message_id=str(uuid.uuid5(NAMESPACE, f"{seed}/{self.origin.correlation_id}")),
            correlation_id=self.origin.correlation_id,
            content_type=self.origin.content_type or "application/json",
            content_encoding=self.origin.content_encoding,
            headers={
                "x-reason": self.reason.value,
                "x-detail": self.detail,
                "x-original-exchange": self.origin.exchange,
                "x-original-routing-key": self.origin.routing_key,
                "x-correlation-id": self.origin.correlation_id,
                "x-failed-at": self.failed_at.isoformat(),
                "x-attempts": self.attempts,
            },
        )
