"""MongoDB's roles (``deploy/mongodb``) suffice: whatever the service asks the store for, its role lets it.

The embedded store knows no users, so the driver tells each command that it sends, and the roles say who may send it.
"""

from __future__ import annotations

import json
from pathlib import Path

from pymongo import monitoring
from pymongo.monitoring import CommandFailedEvent, CommandListener, CommandStartedEvent, CommandSucceededEvent

from bridge.settings import Settings
from tests.support.life import MEMBER, life
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
}
"""Command → the privilege actions that it needs (MongoDB's manual, "Privilege Actions"); upserts insert, too."""

FREE = {"ping", "hello", "endSessions", "commitTransaction", "abortTransaction", "killCursors"}
"""Commands that need no privilege on a collection; whose cursor or transaction it is may end it."""


class Commands(CommandListener):
    """Notes (collection, action) of each command while it is on; ``""`` is the whole database."""

    def __init__(self) -> None:
        self.on = False
        self.needed: set[tuple[str, str]] = set()

    def started(self, event: CommandStartedEvent) -> None:
        """Note what the command needs."""
        name = event.command_name
        if not self.on or name in FREE:
            return
        given = event.command.get("collection" if name == "getMore" else name)
        collection = given if isinstance(given, str) else ""
        if collection.startswith("$cmd."):
            return
        upserts = event.command.get("upsert") or any(one.get("upsert") for one in event.command.get("updates", ()))
        self.needed |= {(collection, action) for action in ACTIONS[name] | ({"insert"} if upserts else set[str]())}

    def succeeded(self, event: CommandSucceededEvent) -> None:
        """Nothing to note."""

    def failed(self, event: CommandFailedEvent) -> None:
        """Nothing to note."""


COMMANDS = Commands()
monitoring.register(COMMANDS)


def granted(*roles: str) -> set[tuple[str, str]]:
    """(collection, action) that these roles give, as ``roles.js`` reads them."""
    wanted = json.loads((DEPLOY / "mongodb" / "roles.json").read_bytes())
    found: set[tuple[str, str]] = set()
    for role in roles:
        named = wanted["roles"][role]
        for collection in wanted["collections"]:
            found |= {(collection, action) for action in named.get(collection, named.get("*", ()))}
        found |= {("", action) for action in wanted["whole_database"].get(role, ())}
        found |= {(name, action) for place, action in found if place == "" for name in wanted["collections"]}
    return found


async def test_the_service_needs_nothing_that_its_role_does_not_give(settings: Settings, tmp_path: Path) -> None:
    """A member's whole life, a copy of everything, and the erasure: every command is within the service's rights."""
    async with life(settings, tmp_path) as lived:
        COMMANDS.on = True
        try:
            await lived.live()
            privacy = lived.office.staff("privacy")
            assert (await privacy("GET", f"/v1/members/{MEMBER}/subject-access.zip")).status == 200
            assert (await privacy("POST", f"/v1/members/{MEMBER}/erasure")).status == 200
            assert (await lived.bridge.services.access.verify()).faults == []
        finally:
            COMMANDS.on = False
    assert COMMANDS.needed - granted("cpd_service") == set()
    assert len(COMMANDS.needed) > 60, "the listener heard the service"
    assert ("access_log", "remove") not in granted("cpd_service")


async def test_migrating_needs_nothing_that_its_role_does_not_give(settings: Settings, tmp_path: Path) -> None:
    """Indexes, validators and the heads of the access log's chains."""
    COMMANDS.needed.clear()
    COMMANDS.on = True
    try:
        async with life(settings, tmp_path):
            pass
    finally:
        COMMANDS.on = False
    assert COMMANDS.needed - granted("cpd_migrate", "cpd_service") == set()
    assert ("log_entries", "createIndex") in COMMANDS.needed


async def test_shard_keys_fit_every_unique_index(settings: Settings, tmp_path: Path) -> None:
    """A sharded collection's unique index must begin with its key; without one, only the id is unique (MongoDB)."""
    keys = json.loads((DEPLOY / "mongodb" / "shards.json").read_bytes())
    async with life(settings, tmp_path) as lived:
        for name, key in keys.items():
            indexes = await lived.raw[name].index_information()
            assert indexes, name
            for index in indexes.values():
                fields = [field for field, _ in index["key"]]
                if index.get("unique") and fields != ["_id"]:
                    assert fields[: len(key)] == list(key), (name, fields)
                    assert "hashed" not in key.values(), name
        unique = {
            name
            for name in await lived.raw.list_collection_names()
            for index in (await lived.raw[name].index_information()).values()
            if index.get("unique") and index["key"][0][0] not in {"_id", *keys.get(name, {})}
        }
    assert unique == {"members", "access_log", "audit_cases"}, "docs/deployment.md says that these stay whole"
