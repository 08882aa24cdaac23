"""Members as the membership system knows them (R82): identifiers, renewal date, registration."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Self

from pydantic import ConfigDict, Field, model_validator

from bridge.domain import agents
from bridge.domain.fields import ONE_LINE, Day
from bridge.domain.identifiers import Identifier, Input
from bridge.domain.mailboxes import EmailAddress
from bridge.domain.periods import Period, check_periods
from bridge.errors import Conflict, FieldFault, NotFound
from bridge.services.recording import Recording
from bridge.services.stores import Stores
from bridge.store.members import IdentifierTaken, calendar_of

MEMBER_ID = r"^[A-Za-z0-9][A-Za-z0-9._:@-]{0,127}$"
"""What a member id may look like: it travels in addresses, log lines and events."""


class PeriodIn(Input):
    """A membership year as the membership system lists it, both days inclusive."""

    start: Day
    end: Day


ONE_CALENDAR: dict[str, Any] = {
    "oneOf": [
        {"required": [here], "properties": {here: {"type": kind}, absent: {"type": "null"}}}
        for here, kind, absent in (("renewal_date", "string", "periods"), ("periods", "array", "renewal_date"))
    ]
}
"""What the schema of a member says beside its properties."""


class MemberIn(Input):
    """A member as ``PUT /v1/members/{id}`` and the member feed bring it."""

    model_config = ConfigDict(json_schema_extra=ONE_CALENDAR)

    name: str = Field(min_length=1, max_length=500, description="Shown to the member.")
    email: EmailAddress | None = Field(None, description="For audit notices.")
    language: str | None = Field(
        None,
        max_length=35,
        pattern=r"^[A-Za-z]{2,3}(-[A-Za-z0-9]{1,8})*$",
        description="For e-mail to the member (BCP 47), such as `cy`.",
        json_schema_extra=ONE_LINE,
    )
    registered: bool = Field(description="On the Register: changes guidance, never access (R80).")
    registered_since: Day | None = Field(None, description="First day on the Register.")
    renewal_date: Day | None = Field(None, description="Any renewal day; its anniversaries start the years.")
    periods: list[PeriodIn] | None = Field(None, min_length=1, max_length=200, description="Instead of a renewal date.")
    identifiers: list[Identifier] = Field(max_length=50, description="How xAPI statements name the member.")

    @model_validator(mode="after")
    def _one_calendar(self) -> Self:
        if (self.renewal_date is None) == (self.periods is None):
            raise ValueError("Give either renewal_date or periods, not both.")
        check_periods([Period(period.start, period.end) for period in self.periods or ()])
        return self


@dataclass(frozen=True, slots=True)
class Put:
    """A member as stored, and whether this call made it."""

    member: dict[str, Any]
    created: bool


class MemberRecords:
    """Creates and changes members; their logs follow."""

    def __init__(self, stores: Stores, recording: Recording) -> None:
        self._stores = stores
        self._recording = recording

    async def get(self, member_id: str) -> dict[str, Any]:
        """Return a member; raises ``NotFound``."""
        member = await self._stores.members.get(member_id)
        if member is None:
            raise NotFound("There is no such member.")
        return member

    async def put(self, member_id: str, given: MemberIn, revision: int | None = None) -> Put | None:
        """Store a member, then bring the log in line; None when ``revision`` is not newer than the one stored.

        Raises ``Conflict`` when an identifier belongs to another member, or the member was erased (invariant 8).
        """
        await self._refuse_erased(member_id)
        before = await self._stores.members.get(member_id)
        try:
            member = await self._stores.members.put(member_id, _fields(member_id, given), revision)
        except IdentifierTaken as error:
            raise _taken(given, error.key) from error
        await self._refuse_erased(member_id)  # while this was written: both write, then read
        await self._recording.catch_up(member_id)  # after a repeat too: its first try may have been cut off here
        if member is None:
            return None
        if before is not None and calendar_of(before) != calendar_of(member):
            await self._stores.plan.of(member_id).shown_anew()  # each shows the years that it touches (R1)
        return Put(member, created=member["version"] == 1)

    async def _refuse_erased(self, member_id: str) -> None:
        """Raise ``Conflict`` for a member who was erased, and leave nothing of them behind."""
        if await self._stores.erasures.among([agents.id_key(member_id)]):
            await self._stores.removal.late(member_id)
            raise Conflict("This member was erased and cannot be brought back under this id.")

    async def leave(self, member_id: str, revision: int | None = None) -> None:
        """Note that a member left; the record stays until retention or an erasure ends it."""
        await self._stores.members.leave(member_id, datetime.now(UTC), revision)


def _fields(member_id: str, given: MemberIn) -> dict[str, Any]:
    identifiers = [identifier.agent() for identifier in given.identifiers]
    # No list of keys is empty, as a unique index takes one empty list only.
    keys = [agents.id_key(member_id), *agents.member_keys(identifiers)]
    dumped = given.model_dump(mode="json", exclude={"identifiers"})
    return {**dumped, "identifiers": identifiers, "keys": keys, "left_at": None}


def _taken(given: MemberIn, key: str) -> Conflict:
    """Say which identifier is another member's, without telling whose."""
    named = [number for number, one in enumerate(given.identifiers) if key in agents.member_keys([one.agent()])]
    number = named[0] if named else 0
    kind = next(iter(given.identifiers[number].agent()))
    message = (
        f"Identifier {number + 1} ({kind}) belongs to another member: remove it there first, or leave it out here."
    )
    return Conflict(message, faults=[FieldFault(f"/identifiers/{number}", f"Identifier {number + 1}", message)])


def is_member_id(text: str) -> bool:
    """Say whether a text may be a member id."""
    return re.fullmatch(MEMBER_ID, text) is not None
