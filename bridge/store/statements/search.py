"""The search of the ledger: what became of statements, by id, by whose they are, and by how they ended.

Three indexes serve it: a member's rows, an actor's rows (a keyed hash), and ``fates`` for all others. A query is read
as several equalities on the first fields of an index, each in order of time, and merged: so no list is sorted as a
whole, and none reads more than a page of each.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Final

from bridge.domain.operations.letters import MirroredLetter
from bridge.domain.privacy.subjects import DataSubject, TimeSpan
from bridge.domain.statements.dispositions import LEDGER_DISPOSITIONS, Disposition, Reason, possible
from bridge.domain.statements.ledger import HeldStatement, LedgerRow, mention
from bridge.store.database import Database, Query, Stage, reaches_store, rows_by_id
from bridge.store.listing import Listing, Position, beyond, number_of

Place = tuple[str, datetime, str]
"""A place among the ignored statements: reason, time received and id of a row."""

PIECE: Final = 100
PIECE_BYTES: Final = 4 * 2**20
"""Rows, and bytes of statements, that are read at once; a single one may have more."""

OLDEST_FIRST: Final = [("received_at", 1), ("_id", 1)]
NEWEST_FIRST: Final = [("received_at", -1), ("_id", -1)]

LONG_AGO: Final = datetime(1970, 1, 1, tzinfo=UTC)
FAR_AHEAD: Final = datetime(9999, 1, 1, tzinfo=UTC)

FIELDS: Final = dict.fromkeys(("disposition", "reason", "received_at", "via", "member_id", "entry_id", "voided_by"), 1)
"""What is read of a row: never the statement."""


@dataclass(frozen=True, slots=True)
class FateQuery:
    """A query of rows: whose, how they ended, and when they came, from ``start`` to before ``end``.

    ``subject`` is a member with what is theirs, ``actors`` are keyed hashes of an identifier; None is anybody.
    """

    subject: DataSubject | None = None
    actors: Sequence[bytes] | None = None
    disposition: str | None = None
    reason: str | None = None
    start: datetime = LONG_AGO
    end: datetime = FAR_AHEAD

    def seeks(self) -> list[Query]:
        """Return the queries that find the rows, none found by two; each is read by an index."""
        if self.subject is not None:
            return self._of_subject(self.subject)
        if self.actors is not None:
            return [{"actor": actor, **self._during(), **self._ending()} for actor in self.actors]
        return [{"disposition": disposition, "reason": reason, **self._during()} for disposition, reason in self.ends()]

    def ends(self) -> list[tuple[str | None, str | None]]:
        """Return the ways to end that are asked for; one that is not settled has neither disposition nor reason."""
        endings: list[tuple[str | None, str | None]] = [(None, None)]
        endings += [
            (disposition.value, reason.value if reason else None)
            for disposition, reason in possible()
            if disposition in LEDGER_DISPOSITIONS
        ]
        return [
            (disposition, reason)
            for disposition, reason in endings
            if self.disposition in {None, disposition} and self.reason in {None, reason}
        ]

    def by_reason(self, reasons: Iterable[Reason]) -> list[FateQuery]:
        """Return the query of each of these reasons to ignore a statement that is asked for."""
        names = [reason.value for reason in reasons if self.reason in {None, reason}]
        return [replace(self, disposition=Disposition.IGNORED.value, reason=reason) for reason in names]

    def _of_subject(self, subject: DataSubject) -> list[Query]:
        """Return what was settled for a member, and what names as its actor an identifier that was theirs then."""
        seeks: list[Query] = [{"member_id": subject.member_id, **self._during(), **self._ending()}]
        for stone, spans in subject.spans.items():
            actor = {"actor": mention(stone), "member_id": None, **self._ending()}
            seeks += [{**actor, **self._during(span)} for span in spans]
        return seeks

    def _during(self, span: TimeSpan | None = None) -> Query:
        after, until = (span.after, span.until) if span else (None, None)
        start = max(self.start, after + _TICK) if after else self.start
        end = min(self.end, until + _TICK) if until else self.end
        return {"received_at": {"$gte": start, "$lt": end}}

    def _ending(self) -> Query:
        conditions = {"disposition": self.disposition, "reason": self.reason}
        return {name: value for name, value in conditions.items() if value is not None}


_TICK: Final = timedelta(milliseconds=1)
"""The shortest time that the store tells apart."""


@reaches_store
class StatementSearch:
    """Reads of the ledger, what waits and the dead letters, for who asks about a statement; writes nothing."""

    def __init__(self, database: Database) -> None:
        self._statements = database.collection("statements", LedgerRow)
        self._held = database.collection("held", HeldStatement)
        self._letters = database.collection("dead_letters", MirroredLetter)

    async def rows(self, statement_ids: Iterable[str]) -> dict[str, LedgerRow]:
        """Return id → row of those that are there."""
        rows = self._statements.find({"_id": {"$in": sorted(set(statement_ids))}}, FIELDS)
        return {row["_id"]: row async for row in rows}

    async def get(self, statement_id: str) -> LedgerRow | None:
        """Return one whole row, with the statement."""
        return await self._statements.find_one({"_id": statement_id})

    async def held(self, statement_ids: Iterable[str]) -> dict[str, HeldStatement]:
        """Return id → what each waits for, of those that wait for a freeze to end."""
        return await rows_by_id(self._held, statement_ids)

    async def letters(self, statement_ids: Iterable[str]) -> dict[str, MirroredLetter]:
        """Return statement id → the newest dead letter that it is in."""
        ids = sorted(set(statement_ids))
        letters: dict[str, MirroredLetter] = {}
        async for letter in self._letters.find({"statements": {"$in": ids}}).sort("failed_at", 1):
            letters |= dict.fromkeys(letter["statements"], letter)
        return letters

    async def count(self, query: FateQuery) -> int:
        """Return how many rows there are."""
        return sum([await number_of(self._statements, seek, {}) for seek in query.seeks()])

    async def texts(self, query: FateQuery, after: Place | None) -> AsyncGenerator[list[LedgerRow]]:
        """Yield the rows of one way to end with their statements, the oldest first, in pieces for a transaction each.

        ``after`` is the place of the last row before. They come from a cursor, so that a million rows take no more
        memory than a piece.
        """
        (seek,) = query.seeks()
        conditions = [seek] if after is None else [seek, beyond(OLDEST_FIRST, after[1:])]
        rows = self._statements.find({"$and": conditions}, {**FIELDS, "raw": 1}, batch_size=PIECE)
        piece: list[LedgerRow] = []
        size = 0
        async for row in rows.sort(OLDEST_FIRST):
            length = len(row.get("raw", b""))
            if piece and (len(piece) == PIECE or size + length > PIECE_BYTES):
                yield piece
                piece, size = [], 0
            piece.append(row)
            size += length
        if piece:
            yield piece

    async def page(self, query: FateQuery, limit: int, after: Position | None) -> Listing[LedgerRow]:
        """Return a page of rows, the newest first; ``after`` is ``[received_at, id]`` of the last before it."""
        end = min(query.end, after[0] + _TICK) if after else query.end
        rows: list[LedgerRow] = []
        for seek in replace(query, end=end).seeks():
            rows += await self._read(seek, limit + 1, after)
        rows.sort(key=_place, reverse=True)
        items = rows[:limit]
        next_place = [_place(items[-1])[0].isoformat(), items[-1]["_id"]] if len(rows) > limit else None
        return Listing(items, next_place, await self.count(query))

    async def _read(self, seek: Query, limit: int, after: Position | None) -> list[LedgerRow]:
        conditions = [seek] if after is None else [seek, beyond(NEWEST_FIRST, after)]
        stages: list[Stage] = [{"$match": condition} for condition in conditions]
        stages += [{"$sort": dict(NEWEST_FIRST)}, {"$limit": limit}, {"$project": FIELDS}]
        return [row async for row in self._statements.aggregate(stages)]


def place_of(row: LedgerRow) -> Place:
    """Return the place of a row, to go on from."""
    at, statement_id = _place(row)
    return row.get("reason", ""), at, statement_id


def _place(row: LedgerRow) -> tuple[datetime, str]:
    assert "received_at" in row, "only what was received is listed"
    return row["received_at"], row["_id"]
