"""The fate of statements, for who asks: one, many, or a list; a look at what is a member's is in the access log first.

It reads the ledger, and the mirror of the dead letters: what lies there was received, and is in no ledger.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from bridge.domain.privacy import Reader, Right
from bridge.domain.statements import StatementFate, actor_keys, fate_of, fate_of_row, mentions
from bridge.errors import NotFound
from bridge.services.access.access_log import AccessHistory
from bridge.store import FAR_AHEAD, LONG_AGO, FateQuery, Listing, Position, Stores

LOOKUP: Final = Right("lookup")
PARTS: Final = ("statements",)


@dataclass(frozen=True, slots=True)
class FateFilter:
    """A filter of statements: all that is given holds. ``keys`` are those of an identifier; ``end`` is excluded."""

    member_id: str | None = None
    keys: tuple[str, ...] | None = None
    disposition: str | None = None
    reason: str | None = None
    start: datetime = LONG_AGO
    end: datetime = FAR_AHEAD

    @property
    def is_personal(self) -> bool:
        """Whether it asks for somebody's statements."""
        return self.member_id is not None or self.keys is not None


class StatementLookup:
    """Says what became of statements."""

    def __init__(self, stores: Stores, access: AccessHistory) -> None:
        self._stores = stores
        self._access = access

    async def get(self, statement_id: str, reader: Reader) -> StatementFate:
        """Return a statement's fate, once the look is in the access log of whose it is (R64); raises ``NotFound``."""
        key = statement_id.lower()
        row = await self._stores.search.get(key)
        letter = (await self._stores.search.letters([key])).get(key)
        if row is None and letter is None:
            raise NotFound("No statement with this id was received.")
        keys = actor_keys(row) if row else letter["about"] if letter else ()
        await self._note(reader, row.get("member_id") if row else None, keys, key)
        return fate_of(key, row, letter, (await self._stores.search.held([key])).get(key))

    async def list(
        self, fates: FateFilter, reader: Reader, limit: int, after: Position | None
    ) -> Listing[StatementFate]:
        """Return a page of what became of statements, the newest first.

        A list by member or identifier is in the access log of whose it is before this returns (R64). Another says of
        none whose it is.
        """
        if fates.is_personal:
            await self._note(reader, fates.member_id, fates.keys or ())
        page = await self._stores.search.page(await self._query(fates), limit, after)
        held = await self._stores.search.held(row["_id"] for row in page.items if row.get("disposition") == "held")
        items = [fate_of_row(row, held.get(row["_id"])) for row in page.items]
        return Listing(items if fates.is_personal else [_of_nobody(fate) for fate in items], page.next, page.total)

    async def fates(self, statement_ids: Sequence[str]) -> list[StatementFate]:
        """Return what became of each of these statements, in their order; of one that never came, that."""
        keys = [statement_id.lower() for statement_id in statement_ids]
        rows = await self._stores.search.rows(keys)
        missing = [key for key in keys if key not in rows or "received_at" not in rows[key]]
        letters = await self._stores.search.letters(missing)
        return [
            {**fate_of(key, rows.get(key), letters.get(key)), "id": statement_id}
            for key, statement_id in zip(keys, statement_ids, strict=True)
        ]

    async def _note(
        self, reader: Reader, member_id: str | None, keys: Iterable[str], statement_id: str | None = None
    ) -> None:
        """Note a look in the access log of a member, or of whoever has the identifiers now."""
        owners = {member_id} if member_id else set((await self._stores.identifiers.owners(keys)).values())
        for owner in sorted(owners) or ([] if statement_id else [None]):
            await self._access.record_read(reader, owner, LOOKUP, PARTS, statement_id)

    async def _query(self, fates: FateFilter) -> FateQuery:
        ending = (fates.disposition, fates.reason, fates.start, fates.end)
        if fates.member_id is not None:
            member = await self._stores.members.get(fates.member_id)
            return FateQuery(await self._stores.subjects.of_member(fates.member_id, member), None, *ending)
        if fates.keys is None:
            return FateQuery(None, None, *ending)
        secret = await self._stores.erasure_key.get()
        return FateQuery(None, mentions(secret, fates.keys), *ending)


def _of_nobody(fate: StatementFate) -> StatementFate:
    return {**fate, "member_id": None, "entry_id": None}
