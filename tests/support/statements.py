"""Builds statements of our own, valid unless a test makes them otherwise."""

from __future__ import annotations

import uuid
from typing import Any

COMPLETED = "http://adlnet.gov/expapi/verbs/completed"
VOIDED = "http://adlnet.gov/expapi/verbs/voided"
HOME = "https://learning.example.org"


def account(name: str) -> dict[str, Any]:
    """An Agent known by an account of the Learning centre."""
    return {"account": {"homePage": HOME, "name": name}}


def completed(
    name: str = "1001", activity: str = "course/1", *, at: str = "2026-05-04T10:00:00Z", **extra: Any
) -> dict[str, Any]:
    """A completed statement of one member and one activity; ``extra`` replaces top-level properties."""
    return {
        "id": str(uuid.uuid4()),
        "actor": account(name),
        "verb": {"id": COMPLETED, "display": {"en-GB": "completed"}},
        "object": activity_of(activity),
        "timestamp": at,
        **extra,
    }


def activity_of(path: str, title: str = "Working with grief", kind: str = "course") -> dict[str, Any]:
    """An Activity of the catalogue."""
    return {
        "objectType": "Activity",
        "id": f"{HOME}/{path}",
        "definition": {
            "name": {"en-GB": title},
            "description": {"en-GB": "An introduction."},
            "type": f"http://adlnet.gov/expapi/activities/{kind}",
        },
    }


def voided(statement_id: str) -> dict[str, Any]:
    """A statement that voids another."""
    return {
        "id": str(uuid.uuid4()),
        "actor": {"mbox": "mailto:admin@learning.example.org"},
        "verb": {"id": VOIDED},
        "object": {"objectType": "StatementRef", "id": statement_id},
        "timestamp": "2026-05-05T10:00:00Z",
    }


def member(name: str = "1001", **extra: Any) -> dict[str, Any]:
    """The body of ``PUT /v1/members/{id}`` for the owner of an account."""
    return {
        "name": "Sam Example",
        "registered": True,
        "renewal_date": "2026-04-01",
        "identifiers": [account(name)],
        **extra,
    }
