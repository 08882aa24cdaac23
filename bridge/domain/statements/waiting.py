"""Statements that wait: parked for an unknown actor (decision 10), or held for a frozen period (decision 4)."""

from __future__ import annotations

from datetime import datetime
from typing import Any


def parked_row(statement_id: str, actor_key: str, at: datetime) -> dict[str, Any]:
    """Make the document of a statement that waits for its actor to become known."""
    return {"_id": statement_id, "actor_key": actor_key, "at": at}


def held_row(statement_id: str, member_id: str, period_id: str, at: datetime) -> dict[str, Any]:
    """Make the document of a completion that waits for a freeze to end."""
    return {"_id": statement_id, "member_id": member_id, "period_id": period_id, "at": at}


def held_voiding(voiding_id: str, target: str, member_id: str, period_id: str, at: datetime) -> dict[str, Any]:
    """Make the document of a voiding that waits for a freeze to end; it needs no text of its own then."""
    return {**held_row(voiding_id, member_id, period_id, at), "target": target}
