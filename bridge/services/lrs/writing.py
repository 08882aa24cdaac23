"""Statements in: stored once and as received, all of a request or none."""

from __future__ import annotations

from collections.abc import AsyncIterable, Mapping, Sequence
from contextlib import suppress

from bridge import tracing
from bridge.domain.lrs import (
    AttachmentPart,
    IncomingStatement,
    NewStatement,
    StoreContext,
    Version,
    distinct_statements,
    find_voidings,
    is_new_statement,
)
from bridge.errors import Conflict
from bridge.logs import correlation_id
from bridge.services.lrs.attachments import LrsAttachments
from bridge.services.lrs.credentials import Credential
from bridge.services.lrs.links import relink
from bridge.services.lrs.relay import StatementRelay
from bridge.services.lrs.timestamps import StoredTimestamps
from bridge.store import AlreadyThere, Note, Session, Stores

MAX_TRIES = 5
"""How often a request is decided anew when others store the same statements meanwhile."""


class StatementWriter:
    """Stores what comes over HTTP; ``relay`` brings it to the broker."""

    def __init__(
        self, stores: Stores, attachments: LrsAttachments, timestamps: StoredTimestamps, relay: StatementRelay
    ) -> None:
        self._stores = stores
        self._ledger = stores.lrs_ledger
        self._attachments = attachments
        self._timestamps = timestamps
        self._relay = relay

    async def store(
        self,
        statements: Sequence[IncomingStatement],
        by: Credential,
        version: Version,
        parts: AsyncIterable[AttachmentPart] | None = None,
    ) -> None:
        """Store statements and the data of their attachments, all or none; a repeat changes nothing.

        Raises ``Conflict`` for another statement under a known id, ``Forbidden`` for a voiding that is not the
        credential's to make.
        """
        by.need("statements/write")
        received_attachments = await self._attachments.receive(parts, statements, version)
        remaining = distinct_statements(await self._without_erased(statements))
        if remaining:
            await self._store(remaining, _context(by, version, received_attachments))
        await self._attachments.check_present(received_attachments)

    async def _without_erased(self, statements: Sequence[IncomingStatement]) -> list[IncomingStatement]:
        """Leave out what an erased person is the actor of: it is taken, and nothing of it is kept (invariant 8)."""
        actor_keys = {statement.actor_key for statement in statements if statement.actor_key}
        erased_keys = await self._stores.erasures.among(actor_keys)
        return [statement for statement in statements if statement.actor_key not in erased_keys]

    async def _store(self, incoming: Mapping[str, IncomingStatement], context: StoreContext) -> None:
        with self._timestamps.reserve(len(incoming)) as first:
            new = [context.new_statement(statement, first + n) for n, statement in enumerate(incoming.values())]
            note = await self._write(new, incoming, context)
            if note:
                self._relay.offer(note, sum(len(statement.raw) for statement in new))
            await relink(self._ledger, new)

    async def _write(
        self, new: Sequence[NewStatement], incoming: Mapping[str, IncomingStatement], context: StoreContext
    ) -> Note | None:
        """Store those of the statements that are not here yet; None when all of them are."""
        targets = {statement.index_keys.voids for statement in new if statement.index_keys.voids}

        async def work(session: Session) -> Note | None:
            rows = await self._ledger.rows_of(incoming.keys() | targets, session)
            fresh = [
                context.complete(statement, rows.get(statement.statement_id), incoming[statement.statement_id])
                for statement in new
                if is_new_statement(statement, rows.get(statement.statement_id))
            ]
            voidings = find_voidings(new, rows, context)
            return await self._ledger.add(fresh, rows, voidings, session) if fresh else None

        for _ in range(MAX_TRIES):
            with suppress(AlreadyThere):
                return await self._stores.database.transaction(work)
        raise Conflict("Other requests keep storing statements under these ids; send them once.")


def _context(by: Credential, version: Version, received_attachments: frozenset[str]) -> StoreContext:
    return StoreContext(
        by.key,
        by.authority,
        may_void_any=by.may("all"),
        version=version,
        attached=received_attachments,
        traceparent=tracing.current(),
        correlation_id=correlation_id(),
    )
