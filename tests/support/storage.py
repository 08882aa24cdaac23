"""What is stored, read and changed past the service: the one place where tests name the collections.

A test asks the API or a store first; this is for what neither shows (that nothing is left, that a row was never
written), and for what time or somebody with the database's rights does (an old date, a forged row).
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Iterable, Mapping
from contextlib import asynccontextmanager
from typing import Any

from bridge import wiring
from bridge.store import Database

Row = dict[str, Any]
Fields = Mapping[str, Any]

EVERY_ROW: Fields = {}


class Rows:
    """The rows of a collection; ``where`` has the fields that a row must have."""

    def __init__(self, database: Database, name: str) -> None:
        self.name = name
        self._collection: Any = database.raw[name]

    async def all(self, where: Fields = EVERY_ROW, by: str = "_id") -> list[Row]:
        """The rows, in the order of a field."""
        return [row async for row in self._collection.find(where).sort(by, 1)]

    async def get(self, row_id: Any) -> Row:
        """The row with an id; raises ``LookupError`` when there is none."""
        return await self.first({"_id": row_id})

    async def first(self, where: Fields = EVERY_ROW) -> Row:
        """A row; raises ``LookupError`` when there is none."""
        if (row := await self._collection.find_one(where)) is None:
            raise LookupError(f"{self.name}: no row with {where}")
        return row

    async def ids(self, where: Fields = EVERY_ROW) -> list[Any]:
        """The ids of the rows, read alone."""
        return [row["_id"] async for row in self._collection.find(where, {"_id": 1})]

    async def has(self, where: Fields = EVERY_ROW) -> bool:
        """Whether there is such a row."""
        return await self._collection.find_one(where, {"_id": 1}) is not None

    async def count(self, where: Fields = EVERY_ROW) -> int:
        """How many rows there are."""
        return await self._collection.count_documents(where)

    async def estimate(self) -> int:
        """How many rows there are, by the store's own books: quick, and nobody waits for it."""
        return await self._collection.estimated_document_count()

    async def set(self, where: Fields, **fields: Any) -> None:
        """Set fields of the rows; ``__`` in a name is a dot."""
        await self._collection.update_many(where, {"$set": {key.replace("__", "."): fields[key] for key in fields}})

    async def bump(self, where: Fields) -> None:
        """Raise the version of the rows, as whoever changes one does."""
        await self._collection.update_many(where, {"$inc": {"version": 1}})

    async def unset(self, where: Fields, *names: str) -> None:
        """Take fields out of the rows."""
        await self._collection.update_many(where, {"$unset": dict.fromkeys(names, "")})

    async def insert(self, rows: Iterable[Row]) -> None:
        """Insert rows, one after another, so that the first that the store refuses is told of."""
        for row in rows:
            await self._collection.insert_one(row)

    async def insert_many(self, rows: Iterable[Row]) -> None:
        """Insert rows in one call, for a benchmark that puts many there."""
        await self._collection.insert_many(list(rows))

    async def delete(self, where: Fields = EVERY_ROW) -> None:
        """Delete the rows."""
        await self._collection.delete_many(where)

    async def indexes(self) -> dict[str, Any]:
        """The indexes by name."""
        return await self._collection.index_information()


class Storage:
    """The collections of a database, by name."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self.access_heads = self.rows("access_heads")
        self.access_log = self.rows("access_log")
        self.audit_cases = self.rows("audit_cases")
        self.dead_letters = self.rows("dead_letters")
        self.erasures = self.rows("erasures")
        self.evidence_chunks = self.rows("evidence.chunks")
        self.evidence_files = self.rows("evidence.files")
        self.evidence_loose = self.rows("evidence.loose")
        self.idempotency = self.rows("idempotency")
        self.identifiers = self.rows("identifiers")
        self.log_entries = self.rows("log_entries")
        self.lrs_chunks = self.rows("lrs_attachments.chunks")
        self.lrs_unsent = self.rows("lrs_unsent")
        self.members = self.rows("members")
        self.meta = self.rows("meta")
        self.notices = self.rows("notices")
        self.outbox = self.rows("outbox")
        self.parked = self.rows("parked")
        self.plan_items = self.rows("plan_items")
        self.pulls = self.rows("pulls")
        self.schedules = self.rows("schedules")
        self.statements = self.rows("statements")
        self.submission_pieces = self.rows("submission_pieces")
        self.submissions = self.rows("submissions")
        self.support_grants = self.rows("support_grants")

    def rows(self, name: str) -> Rows:
        """The rows of a collection that a test goes through by name, as it does through all."""
        return Rows(self._database, name)

    async def names(self) -> list[str]:
        """The names of the collections that there are."""
        return sorted(await self._database.raw.list_collection_names())

    async def everything(self) -> dict[str, list[Row]]:
        """Collection → its rows."""
        return {name: await self.rows(name).all() for name in await self.names()}

    async def drop(self, *names: str) -> None:
        """Drop collections, with their indexes."""
        for name in names:
            await self._database.raw.drop_collection(name)

    @asynccontextmanager
    async def left_open(self, member_id: str) -> AsyncGenerator[None]:
        """Hold a transaction open that has touched a member, as whoever is killed in the middle of one leaves it."""
        async with await self._database.client.start_session() as session, session.start_transaction():
            members = self._database.raw["members"]
            await members.update_one({"_id": member_id}, {"$inc": {"acts": 1}}, session=session)
            yield
            await session.abort_transaction()

    async def command(self, name: str, *arguments: Any, **options: Any) -> Any:
        """The store's answer to a command of the driver."""
        command: Any = self._database.raw.command
        return await command(name, *arguments, **options)


def storage(services: wiring.Services) -> Storage:
    """The storage below running services."""
    return Storage(services.stores.database)
