"""Two processes over one store: ``a`` is interrupted just before a call to the store, where ``b`` acts.

Nothing is random, so that what was found once stays found (docs/decisions/0002).
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any

import orjson
import pytest

from bridge import wiring
from bridge.domain.arrivals import arrival
from bridge.errors import Unavailable
from bridge.services.members import MemberIn
from bridge.store.members import calendar_of
from tests.support.statements import member

REGISTRATION = {"registration": "5e3f5a0e-2f4b-4a8e-9d6f-7a3d1f1b2c3d"}
MORNING, EVENING = "2026-05-04T08:00:00Z", "2026-05-04T20:00:00Z"


class Died(BaseException):
    """The process is gone."""


def before(owner: Any, name: str, act: Callable[[], Awaitable[Any]]) -> None:
    """Do ``act`` just before the next call of a method of ``owner``, once."""
    real = getattr(owner, name)

    async def hooked(*args: Any, **kwargs: Any) -> Any:
        setattr(owner, name, real)
        await act()
        return await real(*args, **kwargs)

    setattr(owner, name, hooked)


async def die() -> None:
    """End the process, as far as its services can tell."""
    raise Died


async def be_away() -> None:
    """Do not answer, as a store does not that is away."""
    raise Unavailable


@dataclass
class World:
    """Two processes over one store, and what is in it."""

    a: wiring.Services
    b: wiring.Services

    async def record(self, by: wiring.Services, *statements: dict[str, Any], redelivered: bool = False) -> list[str]:
        """Record a batch; returns the dispositions."""
        at, rules = datetime.now(UTC), by.recording.rules
        batch = [arrival(one, orjson.dumps(one), at, rules, redelivered=redelivered) for one in statements]
        return [outcome.disposition.value for outcome in await by.recording.record(batch)]

    async def cut_off(self, owner: Any, name: str, *statements: dict[str, Any]) -> None:
        """Let ``a`` die while it records, before a call of a method."""
        before(owner, name, die)
        with pytest.raises(Died):
            await self.record(self.a, *statements)

    async def put(self, member_id: str = "m-1", name: str = "1001", **extra: Any) -> None:
        """Make a member known, or change one."""
        await self.b.members.put(member_id, MemberIn.model_validate(member(name, **extra)))

    async def erase(self, member_id: str = "m-1") -> None:
        """Erase a member."""
        assert (await self.b.erasures.request(member_id, "dpo"))["state"] == "erased"

    async def holding(self, text: str) -> dict[str, list[Any]]:
        """What holds a text, by collection, but for the event that tells of an erasure."""
        raw = self.b.stores.database.raw
        rows = {name: [row async for row in raw[name].find({})] for name in await raw.list_collection_names()}
        found = {name: [row for row in rows if text in str(row)] for name, rows in rows.items()}
        told = {name: [row for row in rows if row.get("type") != "member.erased"] for name, rows in found.items()}
        return {name: rows for name, rows in told.items() if rows}

    async def freeze(self) -> None:
        """Freeze the year of ``m-1`` that begins in April 2026, as a submission does."""
        period = calendar_of(await self._member()).period_for(date(2026, 5, 4))
        mark = {"case_id": "c", "period_id": period.id, "since": datetime.now(UTC)}
        freeze = {**mark, "start": period.start.isoformat(), "end": period.end.isoformat()}
        mine = {"member_id": "m-1", "period_id": period.id, "listed": True}
        await self._entries.update_many(mine, {"$set": {"frozen": mark}})
        await self._set_frozen([freeze])

    async def thaw(self) -> None:
        """End the freeze, and let go what waited for that."""
        await self._entries.update_many({"member_id": "m-1"}, {"$unset": {"frozen": ""}})
        await self._set_frozen([])
        await self.b.recording.catch_up("m-1")

    async def take_in(self) -> None:
        """Take drafts into the log, as the quiet worker does: a freeze holds what is listed."""
        await self.b.intake.settle(await self._member())

    async def log(self, member_id: str = "m-1") -> list[dict[str, Any]]:
        """The live entries of a member."""
        return [entry async for entry in self._entries.find({"member_id": member_id, "deleted_at": None})]

    async def row(self, statement: dict[str, Any]) -> dict[str, Any]:
        """What the ledger says of a statement."""
        return (await self.b.stores.statements.known([statement["id"]]))[statement["id"]]

    async def told(self) -> list[str]:
        """The kinds of the events to be published, in order."""
        rows = await self.b.stores.outbox.pending(50)
        return [one["type"] for row in rows for one in row.get("block", [row])]

    async def _member(self) -> dict[str, Any]:
        found = await self.b.stores.members.get("m-1")
        assert found is not None
        return found

    async def _set_frozen(self, freezes: list[dict[str, Any]]) -> None:
        members = self.b.stores.database.collection("members")
        await members.update_one({"_id": "m-1"}, {"$set": {"frozen": freezes}, "$inc": {"version": 1}})
        await self.b.stores.members.new_epoch()

    @property
    def _entries(self) -> Any:
        return self.b.stores.database.collection("log_entries")
