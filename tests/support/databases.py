"""Databases that tests use in turn: indexes take half a second to make, and emptying takes a twentieth of it."""

from __future__ import annotations

import uuid
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from pymongo import MongoClient

from bridge import wiring
from bridge.store import Database
from bridge.store.inventory import INVENTORY
from deploy.dev import mongo
from deploy.dev.service import Service

MODULES_EACH = 10
"""Modules of tests that an embedded store serves: one that all tests wrote to may stall (decision 18)."""


def private_store(directory: Path) -> Service:
    """An embedded store, not started yet, with its data and logs in ``directory``.

    It waits for no disk, neither when it writes nor when it ends: nobody needs what it has afterwards, and the tests of
    kills have stores of their own.
    """
    return mongo.find(None, directory, directory, durable=False)


@contextmanager
def embedded(directory: Path) -> Generator[str]:
    """Run an embedded store meanwhile; gives its URL."""
    store = private_store(directory)
    store.start()
    try:
        yield store.url
    finally:
        store.kill()


class Databases:
    """The databases of a store: one that a test has left is emptied and is the next test's."""

    def __init__(self, url: str) -> None:
        self.url = url
        self._client = MongoClient[dict[str, Any]](url, connect=False)
        self._free: list[str] = []

    def take(self, *, new: bool = False) -> str:
        """The name of an empty database; a ``new`` one has no collection and no index."""
        return f"t_{uuid.uuid4().hex[:12]}" if new or not self._free else self._free.pop()

    def give_back(self, name: str, *, reuse: bool) -> None:
        """Empty a test's database for the next; drop it when it lacks a collection or has others, or without ``reuse``.

        Who drops a collection or adds validators asks for a ``new`` one, which no other test gets.
        """
        database = self._client[name]
        if not reuse or sorted(database.list_collection_names()) != sorted(INVENTORY):
            self._client.drop_database(name)
            return
        for row in database[next(iter(INVENTORY))].aggregate(_NAMES_IN_USE):
            database[row["name"]].delete_many({})
        self._free.append(name)

    def close(self) -> None:
        """Close the connection."""
        self._client.close()


def _first_of(name: str) -> list[dict[str, Any]]:
    """The stages that give a collection's name when there is anything in it."""
    return [{"$limit": 1}, {"$project": {"_id": 0, "name": {"$literal": name}}}]


_NAMES_IN_USE = [
    *_first_of(next(iter(INVENTORY))),
    *({"$unionWith": {"coll": name, "pipeline": _first_of(name)}} for name in [*INVENTORY][1:]),
]
"""Gives the names of the collections that have documents: one question in place of thirty deletions."""


class Stores:
    """Embedded stores one after another, under ``directory``; each serves some modules of tests."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._stores = 0
        self._modules = 0
        self._store: Service | None = None
        self._databases: Databases | None = None

    def databases(self) -> Databases:
        """The databases of the next module."""
        if self._databases is None or self._modules == MODULES_EACH:
            self.close()
            self._stores += 1
            self._modules = 0
            self._store = private_store(self._directory / str(self._stores))
            self._store.start()
            self._databases = Databases(self._store.url)
        self._modules += 1
        return self._databases

    def close(self) -> None:
        """End the store that runs."""
        if self._databases is not None:
            self._databases.close()
        if self._store is not None:
            self._store.kill()


async def prepare(services: wiring.Services) -> None:
    """Create what the service needs; of a database that a test has left, only the rows of the access log."""
    stores = services.stores
    await (stores.access_log if await _is_prepared(stores.database) else stores).prepare()


async def _is_prepared(database: Database) -> bool:
    return sorted(await database.raw.list_collection_names()) == sorted(INVENTORY)
