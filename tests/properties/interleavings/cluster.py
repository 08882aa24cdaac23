"""Several processes of the bridge over one store, whose contents can be read whole and put back."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any, Final

from pymongo.database import Database

from bridge import wiring
from bridge.errors import BridgeError, Unavailable
from bridge.settings import Settings
from tests.properties.interleavings.operations import OWN_ENTRY, OWN_ITEM, Context, Ids, Operation, Put

Document = Any
"""What is stored, as the ``TypedDict`` of its collection says."""

Contents = dict[str, list[Document]]
"""Collection → its documents, by id."""

Changes = tuple[list[str], list[Document]]
"""Ids of documents to remove, and documents to insert."""

COLLECTIONS: Final = (
    *("members", "identifiers", "departures", "log_entries", "plan_items", "comments", "follow_ups", "outbox"),
    *("statements", "parked", "held", "audit_cases", "submissions", "submission_pieces", "erasures"),
)
"""All that has to do with a record, but evidence."""

END_OF_TIME: Final = datetime.max.replace(tzinfo=UTC)


@dataclass(frozen=True)
class State:
    """Everything that is stored, and the ids in it that operations need; at first there is nothing."""

    contents: Contents = field(default_factory=lambda: {name: [] for name in COLLECTIONS})
    ids: Ids = field(default_factory=Ids)


@dataclass
class Cluster:
    """Processes over a store; ``state`` is what was stored when it was read or written last."""

    processes: Sequence[wiring.Services]
    state: State = field(default_factory=State)

    @property
    def services(self) -> wiring.Services:
        """The services of the first process."""
        return self.processes[0]

    async def answer(self, operation: Operation, process: int = 0) -> Any:
        """Run an operation in a process and return its answer; why it is refused may depend on the moment."""
        try:
            return await operation.run(Context(self.processes[process], self.state.ids))
        except Unavailable:
            raise
        except BridgeError:
            return "refused"

    async def begin(self, operations: Sequence[Operation]) -> State:
        """Empty the store and run operations; whoever is new writes an entry and a plan item first.

        What the last operation leaves to the worker is not done.
        """
        await self.restore(State())
        for operation in operations:
            await self.finish()
            await self.answer(operation)
            if isinstance(operation, Put):
                await self._write_own(operation.member_id)
        return await self.read()

    async def _write_own(self, member_id: str) -> None:
        ids = self.state.ids
        if member_id not in ids.entries:
            entry = await self.services.log.create(member_id, OWN_ENTRY, draft=True, attempt=None)
            item = await self.services.plan.create(member_id, OWN_ITEM, None)
            ids.entries[member_id], ids.items[member_id] = entry["_id"], item["_id"]

    async def finish(self) -> State:
        """Do what the worker's clock does, until nothing is left to do; returns what is stored then."""
        for member_id in await self.services.stores.follow_ups.left_behind(END_OF_TIME):
            await self.services.follow_ups.run(member_id)
        await self.services.erasures.resume()
        return await self.read()

    async def read(self) -> State:
        """Return everything that is stored."""
        contents = await asyncio.to_thread(_read, self._database)
        cases = sorted(contents["audit_cases"], key=lambda case: case["selected_at"])
        newest = {case["member_id"]: case["_id"] for case in cases}
        self.state = State(contents, replace(self.state.ids, cases=newest))
        return self.state

    async def restore(self, state: State) -> None:
        """Make a state what is stored; nothing may have been written since the last was read."""
        changes = {name: _changes(self.state.contents[name], state.contents[name]) for name in COLLECTIONS}
        await asyncio.to_thread(_write, self._database, changes)
        self.state = state

    @property
    def _database(self) -> Database[Document]:
        """The database without a loop: many calls at a time are quicker so."""
        return self.services.stores.database.raw.delegate


def _read(database: Database[Document]) -> Contents:
    return {name: list(database[name].find({}).sort("_id", 1)) for name in COLLECTIONS}


def _write(database: Database[Document], changes: Mapping[str, Changes]) -> None:
    with database.client.start_session() as session, session.start_transaction():
        for name, (gone, missing) in changes.items():
            if gone:
                database[name].delete_many({"_id": {"$in": gone}}, session=session)
            if missing:
                database[name].insert_many(missing, session=session)


def _changes(before: list[Document], after: list[Document]) -> Changes:
    """Return the difference between the documents of a collection."""
    gone = [document["_id"] for document in before if document not in after]
    return gone, [document for document in after if document not in before]


@asynccontextmanager
async def cluster(settings: Settings, processes: int) -> AsyncGenerator[Cluster]:
    """Open as many processes over a store, and prepare it."""
    async with AsyncExitStack() as stack:
        services = [await stack.enter_async_context(wiring.services(settings)) for _ in range(processes)]
        await services[0].stores.prepare()
        yield Cluster(services)
