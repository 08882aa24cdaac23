"""The connection to MongoDB, and what every collection file shares: durability, faults, and the key of tombstones."""

from __future__ import annotations

import asyncio
import functools
import inspect
import itertools
import random
import secrets
import time
from collections.abc import AsyncGenerator, Callable, Coroutine, Iterable, Mapping, Sequence
from contextlib import aclosing
from datetime import UTC, datetime
from typing import Any, Final, NoReturn, TypeVar, overload

from motor.motor_asyncio import (
    AsyncIOMotorClient,
    AsyncIOMotorClientSession,
    AsyncIOMotorCollection,
    AsyncIOMotorDatabase,
)
from pymongo import InsertOne, UpdateOne, WriteConcern
from pymongo.errors import BulkWriteError, PyMongoError
from pymongo.read_concern import ReadConcern
from pymongo.results import BulkWriteResult

from bridge.domain.members.identifiers import tombstone
from bridge.errors import SettingsError, Unavailable
from bridge.metrics import CONFLICTS
from bridge.settings import Settings
from bridge.store.faults import ERRORS, TRANSIENT, is_conflict, is_duplicate, is_outage, is_transient, why
from bridge.store.monitoring import listeners
from bridge.texts import Text

Document = dict[str, Any]
"""A document of which nothing is known but that it is one."""

Query = dict[str, Any]
"""A filter: which documents are meant, in MongoDB's query language."""

Change = dict[str, Any]
"""An update of documents, in MongoDB's update operators."""

Stage = dict[str, Any]
"""A stage of an aggregation."""

Collection = AsyncIOMotorCollection
Session = AsyncIOMotorClientSession

FIRST_PAUSE, LONGEST_PAUSE = 0.005, 0.2
"""Seconds between two tries of a transaction, at most; it grows while others keep coming between."""

R = TypeVar("R")
C = TypeVar("C", bound=type)
T = TypeVar("T", bound=Mapping[str, Any])


def now() -> datetime:
    """Return the time in whole milliseconds: what is answered now is what is read later."""
    at = datetime.now(UTC)
    return at.replace(microsecond=at.microsecond // 1000 * 1000)


class AlreadyThere(Exception):
    """A transaction would have broken a unique key: somebody was quicker, or what it took for new is not."""


class Busy(Exception):
    """A transaction kept meeting others on the same documents; nothing of it was written."""


class Database:
    """The connection to one database; every write is majority and journalled (design.md, Durability)."""

    def __init__(self, settings: Settings) -> None:
        timeout = int(settings.mongo_timeout * 1000)
        self._patience = 2 * settings.mongo_timeout
        self.client: AsyncIOMotorClient[Document] = AsyncIOMotorClient(
            settings.mongo_url.get_secret_value(),
            serverSelectionTimeoutMS=timeout,
            connectTimeoutMS=timeout,
            socketTimeoutMS=timeout * 4,
            tz_aware=True,
            appname="cpd-bridge",
            event_listeners=listeners(),
        )
        self._database: AsyncIOMotorDatabase[Document] = self.client.get_database(
            settings.mongo_database,
            write_concern=WriteConcern(w="majority", j=True),
            read_concern=ReadConcern("majority"),
        )
        secret = settings.erasure_key
        self.erasure_key = ErasureKey(self.collection("meta"), secret.get_secret_value() if secret else None)

    @overload
    def collection(self, name: str) -> Collection[Document]: ...

    @overload
    def collection(self, name: str, of: type[T]) -> Collection[T]: ...

    def collection(self, name: str, of: type[T] | None = None) -> Collection[Any]:  # noqa: ARG002 - for the type checker
        """Return a collection of these documents, with the durability of this database."""
        return self._database[name]

    @property
    def raw(self) -> AsyncIOMotorDatabase[Document]:
        """The driver's database, for GridFS and commands."""
        return self._database

    async def transaction(self, work: Callable[[Session], Coroutine[Any, Any, R]], tries: int | None = None) -> R:
        """Run ``work`` in a transaction, again when it met another one on the same document, or lost its connection.

        Raises ``AlreadyThere`` for a broken unique key, ``Busy`` when it met others at the last of so many ``tries``,
        and ``Unavailable`` for an outage; without a number of tries for either, after a while.
        """
        deadline = time.monotonic() + self._patience
        pause = FIRST_PAUSE
        for number in itertools.count(1):
            try:
                return await self._transaction(work)
            except PyMongoError as error:
                if is_duplicate(error):
                    raise AlreadyThere from error
                if is_conflict(error):
                    CONFLICTS.inc()
                    if number == tries:
                        raise Busy from error
                is_last = number == tries or (tries is None and time.monotonic() > deadline)
                if is_last or not is_transient(error):
                    _raise(error)
            await asyncio.sleep(pause * random.random())  # nosec B311 - spreads load, guards nothing
            pause = min(2 * pause, LONGEST_PAUSE)
        raise AssertionError("the loop ends by what is in it")

    async def _transaction(self, work: Callable[[Session], Coroutine[Any, Any, R]]) -> R:
        async with await self.client.start_session() as session:
            async with session.start_transaction(
                read_concern=ReadConcern("snapshot"), write_concern=WriteConcern(w="majority", j=True)
            ):
                result = await work(session)
                await session.commit_transaction()
            return result

    def close(self) -> None:
        """Close every connection."""
        self.client.close()


def _raise_unless_transient(error: Exception) -> NoReturn:
    if isinstance(error, PyMongoError) and error.has_error_label(TRANSIENT):
        raise error  # the transaction is run again
    _raise(error)


def _raise(error: Exception) -> NoReturn:
    if is_outage(error):
        text = Text("The store cannot do this just now; try again shortly.")
        raise Unavailable(text, why=why(error), setting="BRIDGE_MONGO_URL") from error
    raise error


def reaches_store(cls: C) -> C:
    """Turn an outage in any asynchronous method of ``cls`` into ``Unavailable``: no driver error leaves the store."""
    for name, method in list(vars(cls).items()):
        if inspect.iscoroutinefunction(method):
            setattr(cls, name, _guarded(method))
        elif inspect.isasyncgenfunction(method):
            setattr(cls, name, _guarded_rows(method))
    return cls


def _guarded(method: Callable[..., Coroutine[Any, Any, R]]) -> Callable[..., Coroutine[Any, Any, R]]:
    @functools.wraps(method)
    async def call(*args: Any, **kwargs: Any) -> R:
        try:
            return await method(*args, **kwargs)
        except ERRORS as error:
            _raise_unless_transient(error)

    return call


def _guarded_rows(method: Callable[..., AsyncGenerator[R]]) -> Callable[..., AsyncGenerator[R]]:
    @functools.wraps(method)
    async def call(*args: Any, **kwargs: Any) -> AsyncGenerator[R]:
        try:
            async with aclosing(method(*args, **kwargs)) as rows:
                async for row in rows:
                    yield row
        except ERRORS as error:
            _raise_unless_transient(error)

    return call


async def insert_new(collection: Collection[T], documents: list[T]) -> None:
    """Insert what is not there yet, in one unordered bulk write; any other fault raises."""
    if documents:
        try:
            await collection.insert_many(documents, ordered=False)
        except BulkWriteError as error:
            if not is_duplicate(error):
                raise


async def rows_by_id(collection: Collection[T], ids: Iterable[str], session: Session | None = None) -> dict[str, T]:
    """Return id → document of those that are there, in one read."""
    return {row["_id"]: row async for row in collection.find({"_id": {"$in": list(ids)}}, session=session)}


async def bulk(
    collection: Collection[T], operations: Sequence[InsertOne[T] | UpdateOne], session: Session | None = None
) -> BulkWriteResult:
    """Run one unordered bulk write (inserts run before updates); raises the driver's ``BulkWriteError``."""
    write = collection.bulk_write  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType] - its `let`
    return await write(list(operations), ordered=False, session=session)


D = TypeVar("D", bound=Mapping[str, object])


async def save(collection: Collection[D], pairs: Sequence[tuple[D, D]], session: Session | None) -> None:
    """Write what differs between each pair of before and after, in one bulk write."""
    updates = [UpdateOne(_key(before), difference(before, after)) for before, after in pairs if before != after]
    if updates:
        await bulk(collection, updates, session)


def difference(before: Mapping[str, Any], after: Mapping[str, Any]) -> Change:
    """Return the update that makes one of the other; every field that differs is written whole."""
    new = {name: value for name, value in after.items() if name not in before or before[name] != value}
    removed_fields = dict.fromkeys(before.keys() - after.keys(), "")
    return {**({"$set": new} if new else {}), **({"$unset": removed_fields} if removed_fields else {})}


def _key(document: Mapping[str, Any]) -> Query:
    """Return what names a document: its id, and the member that it belongs to, which is the shard key."""
    return {name: document[name] for name in ("_id", "member_id") if name in document}


PROVEN: Final = "erasure_key"
"""The row of ``meta`` that proves the key, and has it when none was given."""


class WrongErasureKey(SettingsError):
    """``BRIDGE_ERASURE_KEY`` is not the one that this database's tombstones were made with."""

    def __init__(self) -> None:
        super().__init__(
            "BRIDGE_ERASURE_KEY is not the key that this database's tombstones were made with: erased members would "
            "come back. Set it as it was; unset it when none was set."
        )


@reaches_store
class ErasureKey:
    """The secret of the tombstones: the ``setting``, else a random one of this deployment in ``meta``.

    ``meta`` keeps what proves the key, so that a changed setting is noticed before it does harm.
    """

    def __init__(self, meta: Collection[Document], setting: str | None) -> None:
        self._meta = meta
        self._setting = setting
        self._key: bytes | None = None

    async def get(self) -> bytes:
        """Return the secret; raises ``WrongErasureKey``."""
        if self._key is None:
            self._key = await self._load()
        return self._key

    async def tombstone(self, key: str) -> str:
        """Return the tombstone of an identifier key."""
        return tombstone(await self.get(), key)

    async def _load(self) -> bytes:
        random_key = secrets.token_hex(32)
        stored_key = {} if self._setting else {"key": random_key}
        proof = tombstone((self._setting or random_key).encode(), "proof")
        await insert_new(self._meta, [{"_id": PROVEN, "proof": proof, **stored_key}])
        return self._proven(await self._meta.find_one({"_id": PROVEN}) or {})

    def must_fit(self, meta: Iterable[Document]) -> None:
        """Raise ``WrongErasureKey`` unless the tombstones of a database with this ``meta`` could be read here."""
        for row in meta:
            if row["_id"] == PROVEN:
                self._proven(row)

    def _proven(self, row: Document) -> bytes:
        key = (self._setting or row.get("key") or "").encode()
        if tombstone(key, "proof") != row["proof"]:
            raise WrongErasureKey
        return key
