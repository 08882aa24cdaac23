"""Answers to requests with an ``Idempotency-Key``, kept for a day (api.md, HTTP conventions)."""

from __future__ import annotations

from datetime import datetime
from typing import Any, NotRequired, TypedDict


class IdempotentAnswer(TypedDict):
    """A document of ``idempotency``."""

    _id: str  # caller, route and key, hashed
    at: datetime
    digest: bytes  # SHA-256 of what was sent
    member_id: NotRequired[str]  # whose record the call was about
    answer: Any  # what the call returned; None where repeating it does the same
