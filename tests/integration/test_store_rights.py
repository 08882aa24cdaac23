"""MongoDB's roles (``deploy/mongodb``) suffice: whatever the service asks the store for, its role lets it.

The embedded store knows no users, so the driver tells each command that it sends, and the roles say who may send it.
"""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator, Awaitable, Generator
from contextlib import contextmanager
from pathlib import Path

import pytest
from pymongo import monitoring
from pymongo.monitoring import CommandFailedEvent, CommandListener, CommandStartedEvent, CommandSucceededEvent

from bridge import wiring
from bridge.documents.backups import BackupReader, writing
from bridge.domain.privacy.erasures import StoredErasure
from bridge.settings import Settings
from tests.support.life import MEMBER, open_life
from tests.support.manifests import DEPLOY

ACTIONS = {
    "find": {"find"},
    "aggregate": {"find"},
    "count": {"find"},
    "distinct": {"find"},
    "getMore": {"find"},
    "insert": {"insert"},
    "delete": {"remove"},
    "update": {"find", "update"},
    "findAndModify": {"find", "update"},
    "listCollections": {"listCollections"},
    "createIndexes": {"createIndex"},
    "create": {"createCollection"},
    "collMod": {"collMod"},
    "listIndexes": {"listIndexes"},
}
"""Command → the privilege actions that it needs (MongoDB's manual, "Privilege Actions"); upserts insert, too."""

FREE = {"ping", "hello", "endSessions", "commitTransaction", "abortTransaction", "killCursors"}
"""Commands that need no privilege on a collection; whose cursor or transaction it is may end it."""

pytestmark = pytest.mark.new_database


class Commands(CommandListener):
    """Notes (collection, action) of each command while it is on; ``""`` is the whole database."""

    def __init__(self) -> None:
        self.on = False
        self.actions: set[tuple[str, str]] = set()

    def started(self, event: CommandStartedEvent) -> None:
        """Note what the command needs."""
        name = event.command_name
        if not self.on or name in FREE:
            return
        collection_name = event.command.get("collection" if name == "getMore" else name)
        collection = collection_name if isinstance(collection_name, str) else ""
        if collection.startswith("$cmd."):
            return
        upserts = event.command.get("upsert") or any(
            update.get("upsert") for update in event.command.get("updates", ())
        )
        self.actions |= {(collection, action) for action in ACTIONS[name] | ({"insert"} if upserts else set[str]())}

    def succeeded(self, event: CommandSucceededEvent) -> None:
        """Nothing to note."""

    def failed(self, event: CommandFailedEvent) -> None:
        """Nothing to note."""


COMMANDS = Commands()
monitoring.register(COMMANDS)


def granted(*roles: str) -> set[tuple[str, str]]:
    """(collection, action) that these roles give, as ``roles.js`` reads them."""
    documents = json.loads((DEPLOY / "mongodb" / "roles.json").read_bytes())
    actions: set[tuple[str, str]] = set()
    for role in roles:
        privileges = documents["roles"][role]
        for collection in documents["collections"]:
            actions |= {(collection, action) for action in privileges.get(collection, privileges.get("*", ()))}
        actions |= {("", action) for action in documents["whole_database"].get(role, ())}
        actions |= {(name, action) for place, action in actions if place == "" for name in documents["collections"]}
    return actions


@contextmanager
def noted() -> Generator[set[tuple[str, str]]]:
    """Gather what is needed meanwhile."""
    COMMANDS.actions = set()
    COMMANDS.on = True
    try:
        yield COMMANDS.actions
    finally:
        COMMANDS.on = False


async def test_the_service_needs_nothing_that_its_role_does_not_give(settings: Settings, tmp_path: Path) -> None:
    """A member's whole life, a copy of everything, and the erasure: every command is within the service's rights."""
    async with open_life(settings, tmp_path) as life:
        with noted() as actions:
            await life.live()
            privacy = life.office.staff("privacy")
            assert (await privacy("GET", f"/v1/members/{MEMBER}/subject-access.zip")).status == 200
            assert (await privacy("POST", f"/v1/members/{MEMBER}/erasure")).status == 200
            assert (await life.bridge.services.access.verify()).faults == []
    assert actions - granted("cpd_service") == set()
    assert len(actions) > 60, "the listener heard the service"
    assert granted("cpd_service").isdisjoint({("access_log", "update"), ("access_log", "remove")})


async def test_jobs_need_nothing_that_their_roles_do_not_give(settings: Settings, tmp_path: Path) -> None:
    """A backup, a purge, a migration and, into an empty database, a restore, each held against its own role."""
    file = tmp_path / "backup"
    async with open_life(settings, tmp_path) as life:
        await life.live()
        services = life.bridge.services
        actions = await _needed_by(services.migrations.run())
        assert actions - granted("cpd_migrate") == set()
        assert ("log_entries", "createIndex") in actions
        assert await _needed_by(_backed_up(services, file)) - granted("cpd_backup") == set()
        actions = await _needed_by(services.retention.purge(dry_run=False))
        assert actions - granted("cpd_purge") == set()
        assert ("log_entries", "find") in actions
    empty = settings.model_copy(update={"mongo_database": f"{settings.mongo_database}_2"})
    async with wiring.services(empty) as services:
        actions = await _needed_by(services.backups.restore(BackupReader(file, None), _nobody(), lambda _next: None))
        await services.stores.database.client.drop_database(empty.mongo_database)
    assert actions - granted("cpd_restore") == set()
    assert ("access_log", "insert") in actions


async def _needed_by(work: Awaitable[object]) -> set[tuple[str, str]]:
    with noted() as actions:
        await work
    return actions


async def _backed_up(services: wiring.Services, file: Path) -> None:
    with file.open("wb") as out, writing(out, []) as writer:
        await services.backups.record_backup(await services.backups.write(writer, lambda _next: None))


async def _nobody() -> AsyncGenerator[StoredErasure]:
    for stranger in list[StoredErasure]():
        yield stranger


async def test_shard_keys_fit_every_unique_index(settings: Settings, tmp_path: Path) -> None:
    """A sharded collection's unique index must begin with its key; without one, only the id is unique (MongoDB)."""
    keys = json.loads((DEPLOY / "mongodb" / "shards.json").read_bytes())
    async with open_life(settings, tmp_path) as life:
        for name, key in keys.items():
            indexes = await life.storage.rows(name).indexes()
            assert indexes, name
            for index in indexes.values():
                fields = [field for field, _ in index["key"]]
                if index.get("unique") and fields != ["_id"]:
                    assert fields[: len(key)] == list(key), (name, fields)
                    assert "hashed" not in key.values(), name
        unique = {
            name
            for name in await life.storage.names()
            for index in (await life.storage.rows(name).indexes()).values()
            if index.get("unique") and index["key"][0][0] not in {"_id", *keys.get(name, {})}
        }
    assert unique == {"access_log", "audit_cases"}, "docs/deployment.md says that these stay whole"
