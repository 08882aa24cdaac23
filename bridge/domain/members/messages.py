"""Members as the membership system brings them: by ``PUT /v1/members/{id}``, and by the member feed (R82)."""

from __future__ import annotations

import re
from datetime import date, datetime
from itertools import pairwise
from typing import Annotated, Any, Self

from pydantic import ConfigDict, Field, ValidationInfo, field_validator, model_validator

from bridge.domain.fields import ONE_LINE, Day
from bridge.domain.members.identifiers import Identifier, Input, id_key, member_keys
from bridge.domain.members.mailboxes import EmailAddress
from bridge.domain.members.members import LeaveDays, MembershipYear, PeriodDays, StoredMember, check_periods, given_up
from bridge.errors import Conflict, FieldError

MEMBER_ID = r"^[A-Za-z0-9][A-Za-z0-9._:@-]{0,127}$"
"""What a member id may look like: it travels in addresses, log lines and events."""


class PeriodIn(Input):
    """A membership year as the membership system lists it, both days inclusive."""

    start: Day
    end: Day

    def days(self) -> PeriodDays:
        """Return it as it is stored."""
        return {"start": self.start.isoformat(), "end": self.end.isoformat()}


class LeaveIn(Input):
    """A time on leave, both days inclusive."""

    first: Day = Field(alias="from", title="From")
    last: Day = Field(alias="to", title="To")

    @field_validator("last")
    @classmethod
    def _in_order(cls, last: date, info: ValidationInfo) -> date:
        if (first := info.data.get("first")) and last < first:
            raise ValueError("This leave ends before it starts: swap its dates.")
        return last

    def days(self) -> LeaveDays:
        """Return it as it is stored."""
        return {"from": self.first.isoformat(), "to": self.last.isoformat()}


ONE_CALENDAR: dict[str, Any] = {
    "oneOf": [
        {"required": [present], "properties": {present: {"type": kind}, absent: {"type": "null"}}}
        for present, kind, absent in (("renewal_date", "string", "periods"), ("periods", "array", "renewal_date"))
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
    leave: list[LeaveIn] | None = Field(None, max_length=200, description="Times away, none overlapping another.")

    @field_validator("leave")
    @classmethod
    def _leave_apart(cls, leave: list[LeaveIn] | None) -> list[LeaveIn] | None:
        """Put the leave in order; raises ``ValueError`` where a day is in two."""
        by_day = sorted(leave or (), key=lambda away: away.first)
        for earlier, later in pairwise(by_day):
            if later.first <= earlier.last:
                raise ValueError(f"A leave (from {later.first}) overlaps an earlier one: let each day be in one.")
        return leave and by_day

    @model_validator(mode="after")
    def _one_calendar(self) -> Self:
        if (self.renewal_date is None) == (self.periods is None):
            raise ValueError("Give either renewal_date or periods, not both.")
        check_periods([MembershipYear(period.start, period.end) for period in self.periods or ()])
        return self


LARGEST_REVISION = 2**53 - 1
"""Above it, JSON readers no longer agree on which whole number was meant (RFC 8259 §6)."""

MemberId = Annotated[str, Field(pattern=MEMBER_ID, json_schema_extra=ONE_LINE)]


class MemberUpserted(MemberIn):
    """The body of ``member.upserted``: a whole member, as ``PUT /v1/members/{id}`` takes it, with id and revision."""

    member_id: MemberId
    revision: int = Field(ge=0, le=LARGEST_REVISION, description="Grows with each change of the member.")

    def member(self) -> MemberIn:
        """Return the member alone."""
        own_fields = self.model_dump_json(by_alias=True, exclude_unset=True, exclude={"member_id", "revision"})
        return MemberIn.model_validate_json(own_fields)


class MemberLeft(Input):
    """The body of ``member.left``."""

    member_id: MemberId
    revision: int = Field(ge=0, le=LARGEST_REVISION, description="Grows with each change of the member.")


def is_member_id(text: str) -> bool:
    """Say whether a text may be a member id."""
    return re.fullmatch(MEMBER_ID, text) is not None


def stored_member(
    member_id: str, body: MemberIn, before: StoredMember | None, secret: bytes, at: datetime
) -> StoredMember:
    """Return what is stored of a member as it was brought, in place of ``before``; ``secret`` keys the tombstones."""
    identifiers = [identifier.agent() for identifier in body.identifiers]
    # The id has a key as well: who brings a member and who erases one meet on it, if there is no member to meet on.
    keys = [id_key(member_id), *member_keys(identifiers)]
    return {
        "_id": member_id,
        "name": body.name,
        "email": body.email,
        "language": body.language,
        "registered": body.registered,
        "registered_since": body.registered_since.isoformat() if body.registered_since else None,
        "renewal_date": body.renewal_date.isoformat() if body.renewal_date else None,
        "periods": [period.days() for period in body.periods] if body.periods else None,
        "identifiers": identifiers,
        "keys": keys,
        "former": given_up(before, keys, secret, at),
        "leave": [away.days() for away in body.leave or ()],
        "left_at": None,
        "version": before["version"] + 1 if before else 1,
        "acts": before["acts"] if before else 0,
    }


def identifier_conflict(body: MemberIn, key: str) -> Conflict:
    """Return the error that says which identifier is another member's, without telling whose."""
    keys = [member_keys([identifier.agent()]) for identifier in body.identifiers]
    number = next((number for number, own_keys in enumerate(keys) if key in own_keys), 0)
    kind = next(iter(body.identifiers[number].agent()))
    message = (
        f"Identifier {number + 1} ({kind}) belongs to another member: remove it there first, or leave it out here."
    )
    return Conflict(message, field_errors=[FieldError(f"/identifiers/{number}", f"Identifier {number + 1}", message)])
