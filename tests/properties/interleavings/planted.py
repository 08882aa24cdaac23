"""Faults that are planted into the product, so that a test can show that it would find them."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextvars import ContextVar
from functools import wraps
from typing import Any

import pytest

from bridge.domain.members.members import StoredMember
from bridge.domain.statements.batch import Touch
from bridge.services.statements.recording import Recording
from bridge.services.unit_of_work import UnitsOfWork
from bridge.store import Session
from bridge.store.members.members import Identifiers, Members

Plant = Callable[[pytest.MonkeyPatch], None]
Touching = Callable[[Session], Any]

PUT_OFF: ContextVar[list[Touching] | None] = ContextVar("put_off", default=None)


def touch_left_out(owner: type[Any], name: str) -> Plant:
    """Let a method touch members in a transaction of its own afterwards, so that its own one meets nobody there."""

    def plant(monkeypatch: pytest.MonkeyPatch) -> None:
        method = getattr(owner, name)

        @wraps(method)
        async def without_touch(self: Any, *args: Any, **kwargs: Any) -> Any:
            touching: list[Touching] = []
            token = PUT_OFF.set(touching)
            try:
                result = await method(self, *args, **kwargs)
            finally:
                PUT_OFF.reset(token)
            for touch in touching:
                await self._stores.database.transaction(touch)
            return result

        monkeypatch.setattr(owner, name, without_touch)
        _put_touches_off(monkeypatch)

    return plant


def _put_touches_off(monkeypatch: pytest.MonkeyPatch) -> None:
    touch, touch_all = Members.touch, Members.touch_all

    async def touch_later(self: Members, member_id: str, session: Session) -> StoredMember | None:
        if (touching := PUT_OFF.get()) is None:
            return await touch(self, member_id, session)
        touching[:] = [lambda later: touch(self, member_id, later)]  # in place of that of a try before
        member = await self.get(member_id, session)
        return member and {**member, "acts": member["acts"] + 1}

    async def touch_all_later(self: Members, touched: dict[str, Touch], session: Session) -> None:
        if (touching := PUT_OFF.get()) is None:
            await touch_all(self, touched, session)
        else:
            touching[:] = [lambda later: touch_all(self, touched, later)]

    monkeypatch.setattr(Members, "touch", touch_later)
    monkeypatch.setattr(Members, "touch_all", touch_all_later)


def unknown_identifier_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let whoever parks a statement not write the identifier that nobody has."""

    async def seek(self: Identifiers, keys: Iterable[str], session: Session) -> None:
        pass

    monkeypatch.setattr(Identifiers, "seek", seek)


FAULTS: dict[str, Plant] = {
    "a recorder does not touch the members": touch_left_out(Recording, "record"),
    "a person's act does not touch the member": touch_left_out(UnitsOfWork, "run"),
    "a recorder does not write the identifier that nobody has": unknown_identifier_left_out,
}
