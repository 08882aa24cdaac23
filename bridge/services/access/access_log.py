"""The access log: written before anything is shown, read by the member, verified by a command (R62-R64)."""

from __future__ import annotations

import re
from collections.abc import AsyncGenerator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Final, TypedDict

import structlog

from bridge.domain.members import id_key
from bridge.domain.privacy.access import (
    BEGINNING,
    CHAINS,
    NO_RIGHT,
    Access,
    AccessLogRow,
    ChainHead,
    Reader,
    Right,
    StoredRight,
    in_words,
    order,
    row_hash,
    team,
)
from bridge.store import Listing, Position, Stores

log = structlog.get_logger(__name__)


class ChainAnchor(TypedDict):
    """Where a chain ended once: noted then, to be compared now."""

    chain: int
    seq: int
    hash: str


class RefusedCall(TypedDict):
    """A call of a member's own that was refused."""

    at: datetime
    call: str
    status: int


class AccessForMember(TypedDict):
    """A row of the access log as its member reads it: the team, never who in it."""

    _id: str
    id: str
    at: datetime
    reader: str
    roles: list[str]
    allowed: bool
    right: StoredRight
    parts: list[str]
    text: str


AN_ID: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:-]{0,127}")
"""What is kept of an address: anything that is not like an id may be somebody's words."""

AT_ONCE: Final = 500
"""Rows read at once while verifying."""


@dataclass(slots=True)
class ChainVerification:
    """What verifying found: a line for each fault, and where each chain ends, to be kept and compared later."""

    rows: int = 0
    faults: list[str] = field(default_factory=list[str])
    heads: list[ChainAnchor] = field(default_factory=list[ChainAnchor])


class AccessHistory:
    """Writes, shows and verifies the access log."""

    def __init__(self, stores: Stores) -> None:
        self._stores = stores

    async def record_read(
        self, reader: Reader, member_id: str | None, right: Right, parts: tuple[str, ...], item: str | None = None
    ) -> None:
        """Note a read; durable when this returns, and only then may anything be shown. None: of nobody who is known."""
        await self._add(Access(reader, member_id, right, parts, item if item and AN_ID.fullmatch(item) else None))

    async def record_denial(self, reader: Reader, path_ids: Mapping[str, str], status: int) -> None:
        """Note that a caller was refused, by the ids in the address; nothing that the caller typed is kept."""
        member_id = await self._member_of(path_ids)
        item = path_ids.get("case_id") if member_id else None  # anything else may be somebody's words
        await self._add(Access(reader, member_id, NO_RIGHT, item=item, status=status))

    async def refused_calls(self, member_id: str) -> AsyncGenerator[RefusedCall]:
        """Yield the member's own calls that were refused, oldest first."""
        stone = await self._stores.erasure_key.tombstone(id_key(member_id))
        async for row in self._stores.access_log.by_subject(stone):
            yield {"at": row["at"], "call": row["call"], "status": row["status"]}

    async def history(self, member_id: str, limit: int, after: Position | None) -> Listing[AccessForMember]:
        """Return a page of who read a member's record, newest first, in plain words."""
        page = await self._stores.access_log.of_member(member_id, limit, after)
        return Listing([_row_for_member(row) for row in page.items], page.next, page.total)

    async def verify(self, anchors: tuple[ChainAnchor, ...] = ()) -> ChainVerification:
        """Check every chain from end to end, against its head and against heads that were noted earlier."""
        verdict = ChainVerification()
        for chain in range(CHAINS):
            noted_heads = [(anchor["seq"], anchor["hash"]) for anchor in anchors if anchor["chain"] == chain]
            await self._verify_chain(chain, noted_heads, verdict)
        for stranger in sorted(await self._stores.access_log.chains() - set(range(CHAINS))):
            verdict.faults.append(f"chain {stranger}: there is no such chain, but rows that say so")
        return verdict

    async def _add(self, access: Access) -> None:
        reader = replace(access.reader, subject=await self._subject(access.reader))
        row = await self._stores.access_log.add(replace(access, reader=reader))
        # Where application logs are kept elsewhere, these lines are witnesses that the log's owner cannot change.
        log.info("access noted", chain=row["chain"], seq=row["seq"], hash=row["hash"])

    async def _subject(self, reader: Reader) -> str:
        """Return a caller as the log has them: staff by the token's subject, a member by tombstone, as everywhere."""
        is_staff = any(role != "member" for role in reader.roles) and "member" not in reader.roles
        if is_staff and await self._stores.members.get(reader.subject) is None:
            return reader.subject
        return await self._stores.erasure_key.tombstone(id_key(reader.subject))

    async def _member_of(self, path_ids: Mapping[str, str]) -> str | None:
        """Return the member whose record was asked for, or None when the address names nobody who is known."""
        if "case_id" in path_ids:
            case = await self._stores.cases.get(path_ids["case_id"])
            return case["member_id"] if case else None
        member = await self._stores.members.get(path_ids["member_id"]) if "member_id" in path_ids else None
        return member["_id"] if member else None

    async def _verify_chain(self, chain: int, noted_heads: list[tuple[int, str]], verdict: ChainVerification) -> None:
        before = await self._stores.access_log.head(chain)
        if before is None:
            verdict.faults.append(f"chain {chain}: its head is missing")
            return
        walk = _ChainWalk(chain, [*noted_heads, (before["seq"], before["hash"])], verdict)
        while rows := await self._stores.access_log.rows(chain, walk.seq, AT_ONCE):
            for row in rows:
                walk.step(row)
        after = await self._stores.access_log.head(chain) or before
        walk.end(after)
        verdict.heads.append({"chain": chain, "seq": after["seq"], "hash": after["hash"]})


class _ChainWalk:
    """One walk along a chain; what it finds goes to the verdict."""

    def __init__(self, chain: int, expected: list[tuple[int, str]], verdict: ChainVerification) -> None:
        self.seq = 0
        self._verdict = verdict
        self._chain = chain
        self._hash: str = BEGINNING
        self._expected = expected

    def step(self, row: AccessLogRow) -> None:
        """Check one row against its content and the row before it."""
        seq = row["seq"]
        if seq != self.seq + 1:
            self._fault(f"rows {self.seq + 1} to {seq - 1}: removed")
        elif row["prev"] != self._hash:
            self._fault(f"row {seq}: does not follow the row before it")
        if row["_id"] != f"{self._chain}:{seq}" or row["hash"] != row_hash(row) or row.get("order") != order(row):
            self._fault(f"row {seq}: changed")
        if any(at == seq and noted_hash != row["hash"] for at, noted_hash in self._expected):
            self._fault(f"row {seq}: is not the one that was noted")
        self.seq, self._hash = seq, row["hash"]
        self._verdict.rows += 1

    def end(self, head: ChainHead) -> None:
        """Check that the chain ends where its head says, or did say."""
        removed_seqs = [seq for seq, _ in (*self._expected, (head["seq"], "")) if seq > self.seq]
        if removed_seqs:
            self._fault(f"rows {self.seq + 1} to {max(removed_seqs)}: removed from the end")
        elif head["seq"] < self.seq or (head["seq"] == self.seq and self.seq and head["hash"] != self._hash):
            self._fault(f"row {self.seq}: its head says otherwise")

    def _fault(self, text: str) -> None:
        self._verdict.faults.append(f"chain {self._chain}, {text}")


def _row_for_member(row: AccessLogRow) -> AccessForMember:
    """Return what the member is told: the team, never who in it, and nothing of anyone else."""
    return {
        "_id": row["_id"],
        "id": row["_id"],
        "at": row["at"],
        "reader": team(row),
        "roles": [role for role in row["roles"] if role != "member"],
        "allowed": row["allowed"],
        "right": {"kind": row["right"]["kind"].replace("_", " "), "id": row["right"]["id"]},
        "parts": row["parts"],
        "text": in_words(row),
    }
