"""Databases that tests use in turn: indexes take half a second to make, and emptying takes a twentieth of it."""

from __future__ import annotations

import asyncio
import uuid

from bridge import wiring
from bridge.settings import Settings
from bridge.store import Database
from bridge.store.inventory import INVENTORY


class Databases:
    """The databases of a store: one that a test has left is emptied and is the next test's."""

    def __init__(self, url: str) -> None:
        self.url = url
        self._free: list[str] = []

    def take(self, *, new: bool = False) -> str:
        """The name of an empty database; a ``new`` one has no collection and no index."""
        return f"t_{uuid.uuid4().hex[:12]}" if new or not self._free else self._free.pop()

    async def give_back(self, settings: Settings) -> None:
        """Empty a test's database for the next, unless it lacks a collection or has others.

        Who drops a collection or adds validators asks for a ``new`` one: neither is seen here.
        """
        database = Database(settings)
        if await _is_prepared(database):
            await asyncio.gather(*[database.raw[name].delete_many({}) for name in INVENTORY])
            self._free.append(settings.mongo_database)
        database.close()

    async def drop(self, settings: Settings) -> None:
        """Drop a test's database: its store outlives the tests."""
        database = Database(settings)
        await database.client.drop_database(settings.mongo_database)
        database.close()


async def prepare(services: wiring.Services) -> None:
    """Create what the service needs; of a database that a test has left, only the rows of the access log."""
    stores = services.stores
    await (stores.access_log if await _is_prepared(stores.database) else stores).prepare()


async def _is_prepared(database: Database) -> bool:
    return sorted(await database.raw.list_collection_names()) == sorted(INVENTORY)
