"""The stores a service may need, built once by the wiring."""

from __future__ import annotations

from dataclasses import dataclass

from bridge.store.database import Database
from bridge.store.entries import Entries
from bridge.store.erasures import Erasures
from bridge.store.members import Members
from bridge.store.outbox import Outbox
from bridge.store.parked import Waiting
from bridge.store.statements import Statements


@dataclass(frozen=True, slots=True)
class Stores:
    """Every collection family, over one database."""

    database: Database
    members: Members
    statements: Statements
    entries: Entries
    waiting: Waiting
    outbox: Outbox
    erasures: Erasures

    @classmethod
    def over(cls, database: Database) -> Stores:
        """Build every store over one database."""
        return cls(
            database,
            Members(database),
            Statements(database),
            Entries(database),
            Waiting(database),
            Outbox(database),
            Erasures(database),
        )

    async def prepare(self) -> None:
        """Create every index; doing it again changes nothing."""
        for store in (self.members, self.statements, self.entries, self.waiting, self.outbox, self.erasures):
            await store.prepare()
