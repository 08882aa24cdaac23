"""The member feed: changes of members as the membership system tells them, in whatever order they come (R82)."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Any

from pydantic import Field
from pydantic.json_schema import models_json_schema

from bridge.domain.fields import ONE_LINE
from bridge.domain.members.identifiers import Input
from bridge.domain.statements import agents
from bridge.services.members.members import MEMBER_ID, MemberIn, Membership
from bridge.store.stores import Stores

LARGEST_REVISION = 2**53 - 1
"""Above it, JSON readers no longer agree on which whole number was meant (RFC 8259 §6)."""

MemberId = Annotated[str, Field(pattern=MEMBER_ID, json_schema_extra=ONE_LINE)]


class MemberUpserted(MemberIn):
    """The body of ``member.upserted``: a whole member, as ``PUT /v1/members/{id}`` takes it, with id and revision."""

    member_id: MemberId
    revision: int = Field(ge=0, le=LARGEST_REVISION, description="Grows with each change of the member.")

    def member(self) -> MemberIn:
        """Return the member alone."""
        alone = self.model_dump_json(by_alias=True, exclude_unset=True, exclude={"member_id", "revision"})
        return MemberIn.model_validate_json(alone)


class MemberLeft(Input):
    """The body of ``member.left``."""

    member_id: MemberId
    revision: int = Field(ge=0, le=LARGEST_REVISION, description="Grows with each change of the member.")


class FeedResult(StrEnum):
    """What became of a change."""

    APPLIED = "applied"
    STALE = "stale"
    ERASED = "erased"


class MemberFeed:
    """Applies changes; what is not newer than what is known is ignored, so that repeats and disorder do no harm."""

    def __init__(self, stores: Stores, membership: Membership) -> None:
        self._stores = stores
        self._membership = membership

    async def apply(self, change: MemberUpserted | MemberLeft) -> FeedResult:
        """Create or change a member, or note that one left, also one of whom nothing was heard yet.

        An erased member is not brought back, and not complained of either (invariant 8). Raises ``Conflict`` when an
        identifier is another member's.
        """
        if await self._stores.erasures.among([agents.id_key(change.member_id)]):
            return FeedResult.ERASED
        if isinstance(change, MemberLeft):
            await self._membership.leave(change.member_id, change.revision)
            return FeedResult.APPLIED
        result = await self._membership.put(change.member_id, change.member(), change.revision)
        return FeedResult.STALE if result is None else FeedResult.APPLIED


def schema() -> dict[str, Any]:
    """Return the JSON Schema of the feed's bodies, as ``schemas/messages/member.json`` holds it."""
    models = {"member.upserted": MemberUpserted, "member.left": MemberLeft}
    _, parts = models_json_schema([(model, "validation") for model in models.values()], ref_template="#/$defs/{model}")
    keyed = {key: {"$ref": f"#/$defs/{model.__name__}"} for key, model in models.items()}
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "The member feed",
        "description": "What comes on the exchange membership, by routing key.",
        "anyOf": list(keyed.values()),
        "$defs": {**keyed, **parts["$defs"]},
    }
