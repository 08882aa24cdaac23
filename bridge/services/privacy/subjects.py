"""Who a data subject is: a member with every identifier they have or had, or somebody known by identifiers alone."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from bridge.domain.privacy.subjects import ALWAYS, DataSubject, Tenure, spans_of
from bridge.domain.statements.agents import id_key, tombstone
from bridge.services.stores import Stores


async def subject_of_member(stores: Stores, member_id: str, member: Mapping[str, Any]) -> DataSubject:
    """Return a member as a data subject; of one who is not there, by the id alone."""
    secret = await stores.erasures.key.get()
    keys = [key for key in (*member.get("keys", ()), *member.get("erasing", ())) if key != id_key(member_id)]
    stones = {*(tombstone(secret, key) for key in keys), *(one["stone"] for one in member.get("former", ()))}
    stones.discard(tombstone(secret, id_key(member_id)))
    tenures = await stores.members.tenures(stones)
    spans = {stone: spans_of(member_id, tenures[stone]) if stone in tenures else ALWAYS for stone in stones}
    return DataSubject(member_id, secret, spans, tuple(dict.fromkeys(keys)))


async def subject_of_identifiers(stores: Stores, keys: Collection[str]) -> DataSubject:
    """Return whoever had identifiers that no member has now, for the times at which no member had them."""
    secret = await stores.erasures.key.get()
    stones = [tombstone(secret, key) for key in keys]
    tenures = await stores.members.tenures(stones)
    spans = {stone: spans_of("", [*tenures.get(stone, ()), Tenure("")]) for stone in stones}
    return DataSubject("", secret, spans, tuple(keys))
