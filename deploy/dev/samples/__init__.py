"""SampleMessage members and statements of our own: real in shape, of people and courses that do not exist."""

from __future__ import annotations

import json
from copy import deepcopy
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

CATALOGUE_PREFIX = "https://learning.example.org/"
_HERE = Path(__file__).parent
TARGETS_FILE = _HERE / "targets.json"
"""What the sample body asks of a year."""


@dataclass(frozen=True)
class SampleMember:
    """A sample member: the id, and the body of ``PUT /v1/members/{id}``."""

    member_id: str
    body: dict[str, Any]


@dataclass(frozen=True)
class SampleMessage:
    """One message: what it shows, the disposition (and reason) it should get, and a statement or raw text."""

    shows: str
    expect: str
    statement: dict[str, Any] | None
    body: str | None


def members() -> list[SampleMember]:
    """The sample members."""
    return [SampleMember(entry["member_id"], entry["member"]) for entry in _read("members.json")]


def statements(now: datetime) -> list[SampleMessage]:
    """The sample messages, in the order they are to be sent; times are counted back from ``now``, ids are fixed."""
    samples_by_name: dict[str, dict[str, Any]] = {}
    return [_sample(entry, now, samples_by_name) for entry in _read("statements.json")]


def _sample(entry: dict[str, Any], now: datetime, earlier: dict[str, dict[str, Any]]) -> SampleMessage:
    statement: dict[str, Any] | None = None
    if "again" in entry:
        statement = deepcopy(earlier[entry["again"]])
    elif "statement" in entry:
        moment = now - timedelta(days=entry["days_ago"])
        statement = {**entry["statement"], "timestamp": moment.isoformat(timespec="milliseconds")}
        earlier.setdefault(statement["id"], statement)
    return SampleMessage(entry["what"], entry["expect"], statement, entry.get("body"))


def _read(name: str) -> list[dict[str, Any]]:
    return json.loads((_HERE / name).read_text(encoding="utf-8"))
