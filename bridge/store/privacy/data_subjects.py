"""Data subjects: a member with every identifier they have or had, or somebody known by identifiers alone."""

from __future__ import annotations

from collections.abc import Collection

from bridge.domain.members.identifiers import id_key, tombstone
from bridge.domain.members.members import StoredMember
from bridge.domain.privacy.subjects import ALWAYS, DataSubject, Tenure, spans_of
from bridge.store.database import Database
from bridge.store.members.members import Identifiers, Members


class DataSubjects:
    """The identifiers that were a person's, and when."""

    def __init__(self, database: Database, identifiers: Identifiers, members: Members) -> None:
        self._identifiers = identifiers
        self._members = members
        self._key = database.erasure_key

    async def of_member(self, member_id: str, member: StoredMember | None) -> DataSubject:
        """Return a member as a data subject; of one who is not there, by the id alone."""
        secret = await self._key.get()
        member_keys = (*member["keys"], *member.get("erasing", ())) if member else ()
        keys = [key for key in member_keys if key != id_key(member_id)]
        former = [identifier["stone"] for identifier in member["former"]] if member else []
        stones = {*(tombstone(secret, key) for key in keys), *former}
        stones.discard(tombstone(secret, id_key(member_id)))
        tenures = await self.tenures(stones)
        spans = {stone: spans_of(member_id, tenures[stone]) if stone in tenures else ALWAYS for stone in stones}
        return DataSubject(member_id, secret, spans, tuple(dict.fromkeys(keys)))

    async def of_identifiers(self, keys: Collection[str]) -> DataSubject:
        """Return whoever had identifiers that no member has now, for the times at which no member had them."""
        secret = await self._key.get()
        stones = [tombstone(secret, key) for key in keys]
        tenures = await self.tenures(stones)
        spans = {stone: spans_of("", [*tenures.get(stone, ()), Tenure("")]) for stone in stones}
        return DataSubject("", secret, spans, tuple(keys))

    async def tenures(self, stones: Collection[str]) -> dict[str, list[Tenure]]:
        """Return tombstone → everybody's time with the identifier, for those that anybody has or had."""
        owners = await self._identifiers.owners_by_tombstone(stones)
        tenures = {stone: [Tenure(member_id)] for stone, member_id in owners.items()}
        for stone, tenure in await self._members.former_tenures(stones):
            tenures.setdefault(stone, []).append(tenure)
        return tenures
