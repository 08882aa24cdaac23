"""From a request to an attempt that may be a repeat (``Idempotency-Key``)."""

from __future__ import annotations

from pydantic import BaseModel

from bridge.api.http.context import Call
from bridge.services.unit_of_work import Attempt


def attempt(call: Call, body: BaseModel | bytes = b"") -> Attempt | None:
    """Return the attempt that a call is, or None without a key; bodies that read the same count as the same."""
    sent = body if isinstance(body, bytes) else body.model_dump_json(exclude_unset=True).encode()
    route = f"{call.request.method} {call.request.path}"
    return Attempt.of(call.caller.subject, route, call.idempotency_key(), sent)
