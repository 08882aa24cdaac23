"""Members as they were brought, written many in one transaction, with what follows from it for their records (R82)."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from bridge.domain.members import MemberIn, StoredMember, calendar_of, identifiers, stored_member
from bridge.errors import Conflict
from bridge.store import Session, Stores, now

ERASURE_STANDS = "This member was erased and cannot be brought back under this id."


@dataclass(frozen=True, slots=True)
class Upsert:
    """A member as brought; ``revision`` is the membership system's, when its feed brings it."""

    member_id: str
    body: MemberIn
    revision: int | None = None


@dataclass(frozen=True, slots=True)
class PutResult:
    """A member as stored, and whether this call made it."""

    member: StoredMember
    created: bool


class MemberWriter:
    """Writes members in a transaction that its caller owns."""

    def __init__(self, stores: Stores) -> None:
        self._stores = stores

    async def write(self, upserts: Sequence[Upsert], session: Session) -> list[PutResult | None]:
        """Write members, each named once, and the identifiers, on which whoever parks a statement meets it.

        None stands for one whose revision is not newer than the one stored. Raises ``IdentifierTaken``, and
        ``Conflict`` for a member who was erased (invariant 8).
        """
        members = await self._stores.members.touch_some([upsert.member_id for upsert in upserts], session)
        await self.refuse_erased([upsert.member_id for upsert in upserts], members, session)
        newer = {u.member_id: await self._after(u, members.get(u.member_id), session) for u in upserts}
        pairs = [(members.get(member_id), after) for member_id, after in newer.items() if after is not None]
        await self._assign_identifiers(pairs, session)
        await self._stores.members.put([after for _, after in pairs], session)
        await self._follow(pairs, session)
        results = {after["_id"]: PutResult(_as_stored(before, after), before is None) for before, after in pairs}
        return [results.get(upsert.member_id) for upsert in upserts]

    async def refuse_erased(
        self, member_ids: Collection[str], members: Mapping[str, StoredMember], session: Session
    ) -> None:
        """Raise ``Conflict`` when any of the members was erased, or is being erased."""
        is_going = any("erasing" in member for member in members.values())
        if is_going or await self._stores.erasures.among(map(identifiers.id_key, member_ids), session):
            raise Conflict(ERASURE_STANDS)

    async def _after(self, upsert: Upsert, before: StoredMember | None, session: Session) -> StoredMember | None:
        """Return a member as they are to be stored; None when a newer revision is there."""
        if upsert.revision is not None:
            departed_at = await self._stores.departures.revision(upsert.member_id, session)
            if upsert.revision <= max(departed_at, before.get("revision", -1) if before else -1):
                return None
        secret = await self._stores.erasure_key.get()
        member = stored_member(upsert.member_id, upsert.body, before, secret, now())
        return member if upsert.revision is None else {**member, "revision": upsert.revision}

    async def _assign_identifiers(
        self, pairs: Sequence[tuple[StoredMember | None, StoredMember]], session: Session
    ) -> None:
        """Give the members their identifiers; one that a member gives up here may be another's here."""
        owners = {key: after["_id"] for _, after in pairs for key in after["keys"]}
        given_back = {key for before, after in pairs for key in _given_back(before, after)}
        secret = await self._stores.erasure_key.get()
        await self._stores.identifiers.assign(owners, given_back, secret, session)
        member_ids = [after["_id"] for _, after in pairs]
        await self._stores.identifiers.forget(given_back - owners.keys(), member_ids, session)

    async def _follow(self, pairs: Sequence[tuple[StoredMember | None, StoredMember]], session: Session) -> None:
        """Write down what the changes lead to: statements that waited, entries and plan items in other years."""
        keys = [key for _, after in pairs for key in after["keys"]]
        is_waited_for = bool(await self._stores.waiting.parked_for(keys, 1, session))
        for before, after in pairs:
            member_id = after["_id"]
            has_moved = before is not None and calendar_of(before) != calendar_of({**before, **after})
            if has_moved:  # each plan item shows the years that it touches (R1)
                await self._stores.plan.of(member_id, session).raise_versions()
            if has_moved or (is_waited_for and await self._stores.waiting.parked_for(after["keys"], 1, session)):
                await self._stores.follow_ups.add(member_id, now(), session, refile=has_moved)


def _given_back(before: StoredMember | None, after: StoredMember) -> set[str]:
    return set(before["keys"] if before else ()) - set(after["keys"])


def _as_stored(before: StoredMember | None, after: StoredMember) -> StoredMember:
    """Return a member with what the record counts on them, which stays."""
    return after if before is None else {**before, **after}
