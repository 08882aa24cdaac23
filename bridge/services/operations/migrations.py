"""Bringing the database to this release's version; safe while others serve it, and when several do it at once."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass, field
from typing import Any

import structlog

from bridge.errors import BridgeError, Unavailable
from bridge.logs import failure
from bridge.store import SCHEMA_VERSION, Schema, Stores

log = structlog.get_logger(__name__)

PROOF_HOLDS = 1.0
"""Seconds for which the store counts as proven."""


class NewerDatabase(BridgeError):
    """The database was brought further by a later release."""

    slug, status, title = "newer-database", 503, "This database belongs to a later release"

    def __init__(self, version: int) -> None:
        super().__init__(
            f"The database has version {version}, this release knows {SCHEMA_VERSION} at most: "
            "run the release that migrated it, or restore a backup from before."
        )


class HalfRestored(BridgeError):
    """A restore into this database was begun and has not ended."""

    slug, status, title = "half-restored", 503, "This database is not restored whole"


@dataclass(slots=True)
class MigrationResult:
    """What was done: from which version (None: an empty database), documents changed, collections without validator."""

    since: int | None
    changed: int = 0
    without_validator: list[str] = field(default_factory=list[str])

    def log_fields(self) -> dict[str, Any]:
        """Return it for a log line."""
        return {
            "since": self.since,
            "version": SCHEMA_VERSION,
            "changed": self.changed,
            "unvalidated": self.without_validator,
        }


class Migrations:
    """Checks and raises the version of the database."""

    def __init__(self, stores: Stores) -> None:
        self._stores = stores
        self._schema = Schema(stores.database)
        self._checked = False
        self._proving = asyncio.Lock()
        self._proven_until = 0.0

    async def check_at_start(self) -> None:
        """Check, unless the store is away: then whoever asks for readiness does, before anything is ready."""
        try:
            await self.check()
        except Unavailable as error:
            log.warning("store away at the start", **failure(error))

    async def ping(self) -> None:
        """Raise ``Unavailable`` when the store takes no write or no read, and what ``check`` does until it has passed.

        A proof holds for a second, however many ask: anybody may, and each proof is a write.
        """
        if not self._checked:
            await self.check()  # first: a database of a later release is not written to
        async with self._proving:
            if time.monotonic() > self._proven_until:
                await self._schema.prove()
                self._proven_until = time.monotonic() + PROOF_HOLDS

    async def check(self) -> None:
        """Refuse to serve a database that is newer or half restored; tell of one that is to be migrated.

        An older one is served: every step is made so that the release before and after it can work meanwhile.
        """
        version = await self._schema.version()
        if version is not None and version > SCHEMA_VERSION:
            raise NewerDatabase(version)
        if await self._schema.restoring():
            raise HalfRestored("A restore was broken off here: drop this database and restore the backup again.")
        if version is None or version < SCHEMA_VERSION:
            remedy = "run cpd-bridge migrate"
            log.warning("database to be migrated", version=version, known=SCHEMA_VERSION, remedy=remedy)
        await self._stores.erasure_key.get()
        self._checked = True

    async def run(self) -> MigrationResult:
        """Create indexes and validators, take the steps that are left, note the version; again, it changes nothing.

        There is no step yet. One is a method of ``Schema`` that goes in pieces and is safe to repeat, called here for a
        version below its own; ``changed`` counts the documents that it changed.
        """
        version = await self._schema.version()
        if version is not None and version > SCHEMA_VERSION:
            raise NewerDatabase(version)
        await self._stores.prepare()
        result = MigrationResult(version, without_validator=await self._schema.validate())
        await self._schema.reached(SCHEMA_VERSION)
        return result
