"""The access log: who looked at a record, or tried to; chains of rows that only grow (docs/decisions/0007)."""

from __future__ import annotations

from collections.abc import AsyncGenerator

from bridge.domain.members.identifiers import id_key
from bridge.domain.privacy.access import (
    BEGINNING,
    CHAINS,
    Access,
    AccessLogRow,
    ChainHead,
    chain_of,
    content,
    linked,
    order,
)
from bridge.store.database import Database, Session, insert_new, now, reaches_store
from bridge.store.listing import Listing, ListQuery, Position, Sort, page_of

_ORDER: Sort = [("at", True)]


@reaches_store
class AccessLog:
    """The collections ``access_log`` and ``access_heads``."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._rows = database.collection("access_log", AccessLogRow)
        self._heads = database.collection("access_heads", ChainHead)

    async def prepare(self) -> None:
        """Create the head of every chain: one that is missing later was removed."""
        await insert_new(self._heads, [ChainHead(_id=chain, seq=0, hash=BEGINNING) for chain in range(CHAINS)])

    async def add(self, access: Access) -> AccessLogRow:
        """Append a row and return it; when this returns, the row is on a majority's disks."""
        key = access.member_id and await self._database.erasure_key.tombstone(id_key(access.member_id))

        async def append(session: Session) -> AccessLogRow:
            chain, at = chain_of(access.member_id, access.reader.subject), now()
            before = await self._heads.find_one_and_update({"_id": chain}, {"$inc": {"seq": 1}}, session=session)
            assert before is not None, "run cpd-bridge migrate: a chain of the access log has no head"
            row = linked(content(access, at, key), chain, before["seq"] + 1, before["hash"])
            await self._rows.insert_one({**row, "order": order(row)}, session=session)
            await self._heads.update_one({"_id": chain}, {"$set": {"hash": row["hash"]}}, session=session)
            return row

        return await self._database.transaction(append)

    async def of_member(self, member_id: str, limit: int, after: Position | None) -> Listing[AccessLogRow]:
        """Return a page of the rows about a member, newest first; sorted, as no index has two keys in one order."""
        key = await self._database.erasure_key.tombstone(id_key(member_id))
        return await page_of(self._rows, ListQuery({"member_key": key}, {}, _ORDER, limit, after, sorts=True))

    async def by_subject(self, subject: str) -> AsyncGenerator[AccessLogRow]:
        """Yield the rows of one caller, oldest first."""
        async for row in self._rows.find({"subject": subject}).sort("at", 1):
            yield row

    async def head(self, chain: int) -> ChainHead | None:
        """Return where a chain ends, or None."""
        return await self._heads.find_one({"_id": chain})

    async def chains(self) -> set[int]:
        """Return the chains that any row says it is in."""
        return set(await self._rows.distinct("chain"))

    async def rows(self, chain: int, beyond: int, limit: int) -> list[AccessLogRow]:
        """Return a chain's rows in order, those beyond a number."""
        rows = self._rows.find({"chain": chain, "seq": {"$gt": beyond}}).sort([("seq", 1), ("_id", 1)])
        return [row async for row in rows.limit(limit)]
