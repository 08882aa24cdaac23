"""The statements that come: few people, activities and days, so that everything meets everything."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime
from typing import Any, Final

import orjson

from bridge.domain.record.entries import entry_id
from bridge.domain.statements.completions import Rules
from bridge.domain.statements.ledger import Arrival, arrival
from tests.support.statements import account, completed, voided

Statement = dict[str, Any]

_REGISTERED: Final = {"registration": "5e3f5a0e-2f4b-4a8e-9d6f-7a3d1f1b2c3d"}

COMPLETIONS: Final[dict[str, Statement]] = {
    "a1": completed("acc-ann", "course/1", at="2026-05-04T08:00:00Z"),
    "a2": completed("acc-ann", "course/1", at="2026-05-04T20:00:00Z"),
    "a3": completed("acc-ann", "course/2", at="2026-05-06T08:00:00Z", context=_REGISTERED),
    "a4": completed("acc-ann", "course/2", at="2025-06-01T08:00:00Z", context=_REGISTERED),
    "a5": completed("acc-ann", "course/4", at="2026-05-07T08:00:00Z"),
    "b1": completed("acc-ben", "course/1", at="2026-05-04T08:00:00Z", context={"instructor": account("acc-ann")}),
    "b2": completed("acc-ben", "course/2", at="2026-05-06T08:00:00Z"),
    "c1": completed("acc-cyd", "course/1", at="2026-05-04T09:00:00Z"),
    "c2": completed("acc-cyd", "course/3", at="2026-05-06T09:00:00Z"),
}
"""Name → statement: the letter is the account's; of one course are those of a day, or of one registration."""

VOIDINGS: Final = {f"void {name}": voided("") for name in COMPLETIONS}
VOIDINGS["void b1"]["actor"] = account("acc-ann")  # who may be erased

STATEMENTS: Final = {**COMPLETIONS, **VOIDINGS}

for _name, _statement in STATEMENTS.items():
    _statement["id"] = str(uuid.uuid5(uuid.NAMESPACE_URL, _name))
for _name, _completion in COMPLETIONS.items():
    VOIDINGS[f"void {_name}"]["object"]["id"] = _completion["id"]

RECEIVED: Final = {name: datetime(2026, 5, 10, 9, number, tzinfo=UTC) for number, name in enumerate(STATEMENTS)}
"""Name → when it was received, whatever the order in which it is recorded."""


def arrived(name: str, rules: Rules) -> Arrival:
    """Return a statement as it is given to recording."""
    return arrival(STATEMENTS[name], orjson.dumps(STATEMENTS[name]), RECEIVED[name], rules)


def entry_of(member_id: str, name: str) -> str:
    """Return the id of the entry that a statement makes for a member."""
    return entry_id(member_id, STATEMENTS[name]["id"])
